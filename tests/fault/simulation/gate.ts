/** @file The time of one simulated process: its timers and what it is sent stand still while it is frozen, and for ever once it is dead. */
import type { VirtualClock } from "@lockstep/collectives/testing";

export class Gate {
  readonly #clock: VirtualClock;
  readonly #waiting: (() => void)[] = [];
  #state: "open" | "frozen" | "dead" = "open";

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }
  get isDead(): boolean {
    return this.#state === "dead";
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  schedule(delayMs: number, callback: () => void): () => void {
    let isCancelled = false;
    const cancel = this.#clock.schedule(delayMs, () => this.run(() => (isCancelled ? undefined : callback())));
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  /** Now, or when the process goes on. */
  run(callback: () => void): void {
    if (this.#state === "open") callback();
    else if (this.#state === "frozen") this.#waiting.push(callback);
  }

  freeze(): void {
    if (this.#state === "open") this.#state = "frozen";
  }

  thaw(): void {
    if (this.#state !== "frozen") return;
    this.#state = "open";
    for (const callback of this.#waiting.splice(0)) this.run(callback);
  }

  kill(): void {
    this.#state = "dead";
    this.#waiting.length = 0;
  }
}
