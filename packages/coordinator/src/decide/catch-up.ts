/**
 * @file Workers that hold another state than the run get the run's: a snapshot where they hold nothing of use, then every reduced
 * gradient since, while the others go on.
 */
import type { MessageBody } from "@lockstep/protocol";
import type { CoordinatorState, WorkerRecord } from "../state/coordinator-state.js";
import { releaseBlobs } from "./release-blobs.js";
import { nameOf, type Turn } from "./turn.js";

/** Gradients kept for workers that catch up; one that is further behind gets a new snapshot. */
const maxGradients = 256;
/** A worker this close to the run is waited for at the next commit. */
const nearlyLevel = 2;

/** Begins to bring a worker to the run's state. */
export function startJoin(turn: Turn, worker: WorkerRecord): void {
  turn.update(worker.workerId, { status: "joining", sentStep: worker.held?.step });
  serveJoiners(turn);
}

/** Sends every joiner what there is for it. */
export function serveJoiners(turn: Turn): void {
  const { base, gradients } = turn.state.catchUp;
  for (const { workerId, sentStep } of turn.withStatus("joining")) {
    let at = sentStep;
    if (base !== undefined && (at === undefined || !reaches(turn.state, at))) {
      if (at === undefined || at < base.step || at > turn.state.committedStep) {
        const { step, stateHash, files } = base;
        turn.send(workerId, { name: "restore", body: { step, stateHash, files: [...files] } });
        at = base.step;
      }
    }
    if (at === undefined) continue;
    for (let gradient = gradients.get(at + 1); gradient !== undefined; gradient = gradients.get(at + 1)) {
      at++;
      turn.send(workerId, { name: "applyGradient", body: { step: at, gradient } });
    }
    turn.update(workerId, { sentStep: at });
  }
}

/** Whether gradients lead from a state to the run's: they are there, or have been asked for a moment ago. */
function reaches({ committedStep, catchUp }: CoordinatorState, from: number): boolean {
  const { gradients, askedFrom } = catchUp;
  let at = from;
  while (gradients.has(at + 1)) at++;
  if (at >= committedStep) return at === committedStep;
  return askedFrom !== undefined && at + 1 >= askedFrom && at >= committedStep - nearlyLevel;
}

/** The commit of this step asks for its gradient, or does not. */
export function noteAsked(turn: Turn, step: number): void {
  const { catchUp } = turn.state;
  const askedFrom = wantsGradients(turn.state) ? (catchUp.askedFrom ?? step) : undefined;
  if (askedFrom !== catchUp.askedFrom) turn.set({ catchUp: { ...catchUp, askedFrom } });
}

/** Joiners that only a snapshot can help. */
export function needsSnapshot(state: CoordinatorState): boolean {
  const { base } = state.catchUp;
  const isServed = (from: number): boolean => reaches(state, from);
  if (base !== undefined && isServed(base.step)) return false;
  return [...state.workers.values()].some(
    ({ status, sentStep }) => status === "joining" && (sentStep === undefined || !isServed(sentStep)),
  );
}

/** Whether each reduced gradient is to be kept from now on. */
export function wantsGradients(state: CoordinatorState): boolean {
  return state.rejoinUntilMs !== undefined || [...state.workers.values()].some(({ status }) => status === "joining");
}

/** A joiner is gone. If its line broke it comes back, and goes on with the transfer where it was. */
export function keepForRejoin(turn: Turn, { status }: WorkerRecord): void {
  const { plan, catchUp } = turn.state;
  if (status !== "joining" || (catchUp.base === undefined && catchUp.gradients.size === 0)) return;
  turn.set({ rejoinUntilMs: turn.nowMs + plan.timeouts.rejoinMs });
}

/** Before anything else is decided. */
export function endRejoin(turn: Turn): void {
  const { rejoinUntilMs } = turn.state;
  if (rejoinUntilMs !== undefined && turn.nowMs >= rejoinUntilMs) turn.set({ rejoinUntilMs: undefined });
}

/** A joiner that the members may wait for after the commit of the last step. */
export function isNearlyLevel(state: CoordinatorState, { status, held, sentStep }: WorkerRecord): boolean {
  if (status !== "joining" || held === undefined || sentStep === undefined) return false;
  return held.step >= state.committedStep - nearlyLevel && reaches(state, sentStep);
}

export function onGradientStored(turn: Turn, { step, gradient }: MessageBody<"gradientStored">): void {
  const { catchUp, committedStep } = turn.state;
  if (step > committedStep || catchUp.gradients.has(step)) return;
  if (!wantsGradients(turn.state)) {
    releaseBlobs(turn, [gradient.sha256]);
    return;
  }
  const gradients = new Map(catchUp.gradients).set(step, gradient);
  const dropped: string[] = [];
  while (gradients.size > maxGradients) {
    const oldest = Math.min(...gradients.keys());
    dropped.push(gradients.get(oldest)!.sha256);
    gradients.delete(oldest);
  }
  turn.set({ catchUp: { ...catchUp, gradients } });
  releaseBlobs(turn, dropped);
  serveJoiners(turn);
}

/** A snapshot is there: joiners that hold nothing of use begin with it. */
export function useSnapshot(turn: Turn, body: MessageBody<"checkpointDone">): void {
  const { catchUp } = turn.state;
  const base = { step: body.step, stateHash: body.stateHash, files: body.files };
  const gradients = new Map([...catchUp.gradients].filter(([step]) => step > body.step));
  const before = [...(catchUp.base?.files ?? []), ...catchUp.gradients.values()].map(({ sha256 }) => sha256);
  turn.set({ catchUp: { ...catchUp, base, gradients } });
  releaseBlobs(turn, before);
  serveJoiners(turn);
}

/** What a joiner holds now. */
export function onLevel(turn: Turn, worker: WorkerRecord, held: MessageBody<"level">): void {
  const known = turn.state.stateHashes.get(held.step);
  turn.update(worker.workerId, { held });
  if (known === undefined || known === held.stateHash || worker.status !== "joining") return;
  turn.log(
    "differs",
    `${nameOf(worker)} holds other bits of the state after step ${held.step} than the run (${held.stateHash}, not ${known}); it gets a snapshot`,
    { workerId: worker.workerId },
  );
  turn.update(worker.workerId, { held: undefined, sentStep: undefined });
}

/** Nobody catches up: what was kept for it can go. */
export function dropCatchUp(turn: Turn): void {
  const { base, gradients } = turn.state.catchUp;
  if (wantsGradients(turn.state) || (base === undefined && gradients.size === 0)) return;
  turn.set({ catchUp: { base: undefined, gradients: new Map(), askedFrom: undefined } });
  releaseBlobs(
    turn,
    [...(base?.files ?? []), ...gradients.values()].map(({ sha256 }) => sha256),
  );
}
