/** An error of ours is its message; anything else is a defect and shows where it came from. */
export function printError(error: unknown): void {
  const { code, message, stack } = error as { code?: unknown; message?: string; stack?: string };
  const isOurs = typeof code === "string" && code.startsWith("E_") && code !== "E_UNEXPECTED";
  process.stderr.write(`${isOurs ? `error: ${message} (${code})` : `error: ${stack ?? message ?? String(error)}`}\n`);
}
