/** A clock for tests: one millisecond later at every look. */
export function tickingClock(): () => number {
  let now = 0;
  return () => ++now;
}
