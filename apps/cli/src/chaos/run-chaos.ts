/**
 * @file Does what a chaos plan says, driven by the run's own metrics and events.
 *
 * One act at a time and in the plan's order. An act that would leave no member of the present generation alive waits until another
 * one is in: the run must be able to heal, or there is nothing to see.
 */
import type { ChaosAct } from "./plan-chaos.js";
import { workerName } from "./plan-chaos.js";

/** The processes that can be broken; local-workers.ts has them. */
export interface ChaosTargets {
  kill(index: number, signal: NodeJS.Signals): void;
  restart(index: number): void;
  /** Starts one more and gives its number. */
  add(): number;
}

export interface ChaosOptions {
  readonly plan: readonly ChaosAct[];
  /** Number of workers at the start. */
  readonly workers: number;
  readonly targets: ChaosTargets;
  /** One line per act. */
  readonly print: (line: string) => void;
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
}

export class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #left: ChaosAct[];
  readonly #alive: Set<number>;
  /** Names in the last generation that were not killed since. */
  #members = new Set<string>();
  #step = 0;
  #frozen: number | undefined;
  #cancelThaw: () => void = () => {};

  constructor(options: ChaosOptions) {
    this.#options = options;
    this.#left = [...options.plan];
    this.#alive = new Set(Array.from({ length: options.workers }, (_, index) => index));
  }

  /** Acts that did not happen yet. */
  get left(): readonly ChaosAct[] {
    return this.#left;
  }

  onMetrics({ step }: { readonly step: number }): void {
    this.#step = step;
    this.#advance();
  }

  onEvent(event: { readonly type: string; readonly [field: string]: unknown }): void {
    if (event.type !== "generation") return;
    const members = event.members as readonly { readonly name: string }[];
    const aliveNames = new Set([...this.#alive].map(workerName));
    this.#members = new Set(members.map(({ name }) => name).filter((name) => aliveNames.has(name)));
    this.#advance();
  }

  /** Nothing more is broken; what is frozen goes on. */
  stop(): void {
    this.#left.length = 0;
    this.#thaw();
  }

  #advance(): void {
    const next = this.#left[0];
    if (next === undefined || this.#frozen !== undefined || this.#step < next.afterStep || !this.#isSafe(next)) return;
    this.#left.shift();
    this.#options.print(`chaos after step ${this.#step}: ${next.sentence}`);
    this.#act(next);
  }

  #isSafe(act: ChaosAct): boolean {
    if (act.kind !== "kill" && act.kind !== "freeze") return true;
    const others = [...this.#members].filter((name) => name !== workerName(act.index));
    return others.length >= 1;
  }

  #act(act: ChaosAct): void {
    const { targets, schedule } = this.#options;
    switch (act.kind) {
      case "kill":
        this.#alive.delete(act.index);
        this.#members.delete(workerName(act.index));
        targets.kill(act.index, "SIGKILL");
        return;
      case "restart":
        this.#alive.add(act.index);
        targets.restart(act.index);
        return;
      case "join":
        this.#alive.add(targets.add());
        return;
      case "freeze":
        this.#frozen = act.index;
        targets.kill(act.index, "SIGSTOP");
        this.#cancelThaw = schedule(act.forMs, () => this.#thaw());
        return;
      default:
        act satisfies never;
    }
  }

  #thaw(): void {
    this.#cancelThaw();
    if (this.#frozen === undefined) return;
    const index = this.#frozen;
    this.#frozen = undefined;
    this.#options.print(`chaos after step ${this.#step}: worker "${workerName(index)}" goes on (SIGCONT)`);
    this.#options.targets.kill(index, "SIGCONT");
  }
}
