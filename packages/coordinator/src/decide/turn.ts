/**
 * @file One turn of `decide`: the state as it becomes, and the effects so far. Lives for one call, so that decisions can be split
 * over files and still be pure from outside.
 */
import type { CoordinatorMessage } from "@lockstep/protocol";
import type { CoordinatorEffect } from "../state/coordinator-events.js";
import type { CoordinatorState, WorkerRecord } from "../state/coordinator-state.js";

export class Turn {
  readonly nowMs: number;
  readonly effects: CoordinatorEffect[] = [];
  #state: CoordinatorState;
  #reason = "";

  constructor(state: CoordinatorState, nowMs: number) {
    this.#state = state;
    this.nowMs = nowMs;
  }

  get state(): CoordinatorState {
    return this.#state;
  }

  /** The reason of the last logged line of this turn. */
  get reason(): string {
    return this.#reason;
  }

  set(change: Partial<CoordinatorState>): void {
    this.#state = { ...this.#state, ...change };
  }

  setWorker(worker: WorkerRecord): void {
    this.set({ workers: new Map(this.#state.workers).set(worker.workerId, worker) });
  }

  removeWorker(workerId: string): void {
    const workers = new Map(this.#state.workers);
    workers.delete(workerId);
    this.set({ workers });
  }

  send(to: string, message: CoordinatorMessage): void {
    if (this.#state.workers.has(to)) this.effects.push({ kind: "send", to, message });
  }

  /** To all members that are still connected. */
  sendMembers(message: CoordinatorMessage): void {
    for (const workerId of this.#state.members) this.send(workerId, message);
  }

  do(effect: CoordinatorEffect): void {
    this.effects.push(effect);
  }

  log(type: string, reason: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#reason = reason;
    const { committedStep: step, generation } = this.#state;
    this.effects.push({ kind: "event", line: { type, step, generation, reason, ...fields } });
  }

  /** Members that are still connected, by rank. */
  liveMembers(): WorkerRecord[] {
    return this.#state.members.flatMap((id) => this.#state.workers.get(id) ?? []);
  }
}

/** How people read of a worker: its name, and its id when they differ. */
export function nameOf(worker: Pick<WorkerRecord, "name" | "workerId">): string {
  return worker.name === worker.workerId ? `worker "${worker.name}"` : `worker "${worker.name}" (${worker.workerId})`;
}
