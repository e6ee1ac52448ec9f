/** Address of a room of this installation: what a job's `@lockstep/...` imports become. */
export function resolveRoom(specifier: string): string {
  return import.meta.resolve(specifier);
}
