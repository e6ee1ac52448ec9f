/** @file Strikes and bans: what becomes of a worker whose frames or values were wrong. */
import type { WorkerRecord } from "../state/coordinator-state.js";
import { nameOf, type Turn } from "./turn.js";

/** Counts against a worker; at the limit it is banned for the rest of the run. @returns whether it is still here. */
export function strike(turn: Turn, workerId: string, why: string): boolean {
  const { strikes, plan } = turn.state;
  const count = (strikes.get(workerId) ?? 0) + 1;
  const worker = turn.worker(workerId);
  const name = worker === undefined ? `worker "${workerId}"` : nameOf(worker);
  turn.set({ strikes: new Map(strikes).set(workerId, count) });
  turn.log("strike", `${name} has strike ${count} of ${plan.trust.maxStrikes}: ${why}`, { workerId, strikes: count });
  turn.journal({ kind: "strike", workerId, reason: why });
  if (count < plan.trust.maxStrikes) return worker !== undefined;
  ban(turn, workerId, { name, why });
  return false;
}

function ban(turn: Turn, workerId: string, { name, why }: { readonly name: string; readonly why: string }): void {
  const worker = turn.worker(workerId);
  const message = `${name} is banned from this run after ${turn.state.strikes.get(workerId)} strikes, the last one: ${why}`;
  turn.set({ banned: new Map(turn.state.banned).set(workerId, { name: worker?.name ?? workerId, reason: why }) });
  turn.log("banned", message, { workerId });
  turn.journal({ kind: "ban", workerId, name: worker?.name ?? workerId, reason: why });
  if (worker !== undefined) sendAway(turn, worker, { code: "E_BANNED", message });
}

/** The last word to a worker that may not come back as it is. */
export function sendAway(
  turn: Turn,
  worker: WorkerRecord,
  { code, message }: { readonly code: string; readonly message: string },
): void {
  turn.send(worker.workerId, { name: "refused", body: { code, message: message.slice(0, 4_000) } });
  turn.do({ kind: "close", workerId: worker.workerId, reason: code });
  turn.lose(worker, message);
}
