/**
 * @file One turn of `decide`: the state as it becomes, and the effects so far. Lives for one call, so that decisions can be split
 * over files and still be pure from outside.
 */
import type { CoordinatorMessage } from "@lockstep/protocol";
import type { CoordinatorEffect } from "../state/coordinator-events.js";
import type { CoordinatorState, WorkerRecord, WorkerStatus } from "../state/coordinator-state.js";
import type { JournalEntry } from "../state/journal-entry.js";

export class Turn {
  readonly nowMs: number;
  readonly effects: CoordinatorEffect[] = [];
  /** Workers that are gone and whose loss is still to be dealt with, in order. */
  readonly lost: { readonly worker: WorkerRecord; readonly reason: string }[] = [];
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

  worker(workerId: string): WorkerRecord | undefined {
    return this.#state.workers.get(workerId);
  }

  /** Changes the record of a worker that is here. */
  update(workerId: string, change: Partial<WorkerRecord>): void {
    const worker = this.worker(workerId);
    if (worker !== undefined) this.setWorker({ ...worker, ...change });
  }

  setWorker(worker: WorkerRecord): void {
    this.set({ workers: new Map(this.#state.workers).set(worker.workerId, worker) });
  }

  /** Takes a worker's record out; `decide` then deals with the loss. */
  lose(worker: WorkerRecord, reason: string): void {
    const workers = new Map(this.#state.workers);
    if (!workers.delete(worker.workerId)) return;
    this.set({ workers });
    this.lost.push({ worker, reason });
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

  journal(entry: JournalEntry): void {
    this.effects.push({ kind: "journal", entry });
  }

  log(type: string, reason: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#reason = reason;
    const { committedStep: step, generation } = this.#state;
    this.effects.push({ kind: "event", line: { type, step, generation, reason, ...fields } });
  }

  /** Members that are still connected, by rank. */
  liveMembers(): WorkerRecord[] {
    return this.#state.members.flatMap((id) => {
      const worker = this.#state.workers.get(id);
      return worker?.status === "member" ? [worker] : [];
    });
  }

  /** Workers of a status, in the order in which they joined. */
  withStatus(...statuses: readonly WorkerStatus[]): WorkerRecord[] {
    return [...this.#state.workers.values()]
      .filter(({ status }) => statuses.includes(status))
      .sort((a, b) => a.order - b.order);
  }
}

/** How people read of a worker: its name, and its id when they differ. */
export function nameOf(worker: Pick<WorkerRecord, "name" | "workerId">): string {
  return worker.name === worker.workerId ? `worker "${worker.name}"` : `worker "${worker.name}" (${worker.workerId})`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listOf(workers: readonly Pick<WorkerRecord, "name" | "workerId">[]): string {
  const names = workers.map(nameOf);
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
