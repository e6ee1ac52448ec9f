/** @file Ctrl-C: the first stops cleanly after the current step, the second stops now. */

export interface InterruptHandlers {
  readonly first: () => void;
  readonly second: () => void;
}

/** Listens for SIGINT and SIGTERM. Returns a function that stops listening. */
export function onInterrupt(handlers: InterruptHandlers): () => void {
  let count = 0;
  const listen = () => {
    count++;
    if (count === 1) handlers.first();
    else handlers.second();
  };
  process.on("SIGINT", listen);
  process.on("SIGTERM", listen);
  return () => {
    process.off("SIGINT", listen);
    process.off("SIGTERM", listen);
  };
}
