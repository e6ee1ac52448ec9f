/** @file Which checkpoints go. Pure. */

/**
 * @param steps of all checkpoints that are there.
 * @returns the steps whose checkpoints are to be removed, ascending.
 */
export function decideRetention(
  steps: readonly number[],
  { keepLast, protectedSteps }: { readonly keepLast: number; readonly protectedSteps: readonly number[] },
): number[] {
  if (keepLast <= 0) return [];
  const ascending = [...steps].sort((a, b) => a - b);
  return ascending.slice(0, Math.max(0, ascending.length - keepLast)).filter((step) => !protectedSteps.includes(step));
}
