/** @file An attempt that a worker could not finish: whose fault it was, and who computes what again. Stragglers too. */
import type { MessageBody } from "@lockstep/protocol";
import { shareOut } from "../assignment/share-out.js";
import type { CoordinatorState, Dispute, StepInFlight, WorkerRecord } from "../state/coordinator-state.js";
import { strike } from "./accusations.js";
import { fail } from "./ending.js";
import { beginAttempt, isDisputed, memberSpeeds, mutable, pairOf } from "./generation.js";
import { evict, regroup } from "./regroup.js";
import { hasComputed, isOf } from "./stepping.js";
import { nameOf, type Turn } from "./turn.js";

type Failure = MessageBody<"stepFailed">;

/** What a peer's frames or values can be refused for. */
const accusations: ReadonlySet<string> = new Set(["E_FRAME_REFUSED", "E_HASH"]);
const linkTrouble: ReadonlySet<string> = new Set([
  "E_PEER_LOST",
  "E_PEER_TIMEOUT",
  "E_QUEUE_FULL",
  "E_LINK",
  "E_GENERATION_CHANGED",
  "E_DISPOSED",
]);
/** A straggler's nodes are given away once a step at most. */
const maxRescues = 1;
const minRescueMs = 400;
/** A worker that takes this many times as long as it usually does is a straggler. */
const lateFactor = 1.5;
/** A pair whose link breaks this often loses the worker that is accused. */
const maxTroubles = 5;

export function onStepFailed(turn: Turn, worker: WorkerRecord, body: Failure): void {
  const { step, phase } = turn.state;
  if (phase !== "stepping" || step === undefined || !isOf(step, body)) return;
  const message = `${nameOf(worker)}: ${body.message}`;
  turn.log("stepFailed", message, { workerId: worker.workerId, code: body.code, accusedId: body.accusedId });
  if (body.code === "E_NOT_FINITE") onNotFinite(turn, step, worker, body);
  else if (accusations.has(body.code)) onRefused(turn, step, worker, body);
  else if (linkTrouble.has(body.code)) onLinkTrouble(turn, worker, body);
  else fail(turn, body.code, message);
}

/** Values that are not finite are computed elsewhere once: if they are there again it is the job, and the run ends (L6). */
function onNotFinite(turn: Turn, step: StepInFlight, worker: WorkerRecord, body: Failure): void {
  const message = `${nameOf(worker)}: ${body.message}`;
  const accused = body.accusedId === null ? undefined : turn.worker(body.accusedId);
  if (accused === undefined || body.node === null || turn.liveMembers().length < 2) {
    fail(turn, body.code, message);
    return;
  }
  const [lo, hi] = body.node;
  const isKnown = step.disputes.some(
    (dispute) =>
      dispute.code === body.code && dispute.workerId !== accused.workerId && lo < dispute.hi && dispute.lo < hi,
  );
  if (isKnown) {
    fail(turn, body.code, message);
    return;
  }
  const dispute: Dispute = {
    lo,
    hi,
    workerId: accused.workerId,
    code: body.code,
    message: body.message.slice(0, 1_000),
  };
  const why = `values of ${nameOf(accused)} for micro-batches ${lo}..${hi - 1} are not finite; another worker computes them again`;
  beginAttempt(turn, { disputes: [...step.disputes, dispute], verification: undefined }, why);
}

/** A frame that contradicts the plan or its hash: a strike, and the sender's part is computed elsewhere. */
function onRefused(turn: Turn, step: StepInFlight, worker: WorkerRecord, body: Failure): void {
  const accused = body.accusedId ?? worker.workerId;
  if (!strike(turn, accused, `${nameOf(worker)} refused a frame of its: ${body.message}`.slice(0, 2_000))) return;
  const rank = turn.state.members.indexOf(accused);
  const isAlone = turn.liveMembers().length < 2;
  const nodes = step.assignment.nodesByRank[rank] ?? [];
  const disputes = nodes.map(([lo, hi]) => ({ lo, hi, workerId: accused }));
  const nodesByRank = isAlone
    ? step.assignment.nodesByRank
    : mutable(
        shareOut({
          numMicroBatches: turn.state.plan.numMicroBatches,
          kept: step.assignment.nodesByRank.map((own, r) => (r === rank ? [] : own)),
          microBatchMs: memberSpeeds(turn.state),
          isForbidden: (r, range) =>
            isDisputed(step.disputes, turn.state.members[r]!, range) ||
            (r === rank && disputes.some(({ lo, hi }) => range[0] < hi && lo < range[1])),
        }),
      );
  beginAttempt(
    turn,
    { nodesByRank, verification: undefined },
    `a frame of worker "${accused}" was refused; its part is computed elsewhere`,
  );
}

/** A link broke, or frames do not come through: the members dial anew, and the pair uses the relay if that happens again. */
function onLinkTrouble(turn: Turn, worker: WorkerRecord, body: Failure): void {
  const accused = body.accusedId === null ? undefined : turn.worker(body.accusedId);
  if (accused !== undefined && accused.workerId !== worker.workerId) {
    const pair = pairOf(worker.workerId, accused.workerId);
    const count = (turn.state.brokenLinks.get(pair) ?? 0) + 1;
    turn.set({ brokenLinks: new Map(turn.state.brokenLinks).set(pair, count) });
    if (count > maxTroubles) {
      turn.set({ brokenLinks: new Map(turn.state.brokenLinks).set(pair, 0) });
      evict(turn, accused, `its link to ${nameOf(worker)} broke ${count} times, over the relay too`);
      return;
    }
  }
  regroup(
    turn,
    `${nameOf(worker)} has lost a link${accused === undefined ? "" : ` to ${nameOf(accused)}`}; the members dial anew`,
  );
}

export function onProgress(turn: Turn, worker: WorkerRecord, body: MessageBody<"progress">): void {
  const { step, phase } = turn.state;
  if (phase !== "stepping" || step === undefined || !isOf(step, body)) return;
  turn.set({ step: { ...step, progress: new Map(step.progress).set(worker.workerId, body) } });
  rescue(turn);
}

/** When a straggler's nodes may be given away, if nothing is heard of it until then. */
export function rescueDeadline({ phase, step, members, workers, lastEventMs }: CoordinatorState): number {
  if (phase !== "stepping" || step === undefined || step.numRescues >= maxRescues || step.assignment.attempt > 0)
    return Number.POSITIVE_INFINITY;
  const expected = members.map((id, rank) => {
    const total = step.assignment.nodesByRank[rank]!.reduce((sum, [lo, hi]) => sum + hi - lo, 0);
    return total * (workers.get(id)?.microBatchMs ?? 0);
  });
  const atMs = step.startedAtMs + Math.max(minRescueMs, lateFactor * Math.max(...expected)) + 1;
  return atMs > lastEventMs ? atMs : Number.POSITIVE_INFINITY;
}

/** All but one have computed their part, and the one has whole nodes that it has not begun: an idle worker takes them over. */
export function rescue(turn: Turn): void {
  const { step, phase } = turn.state;
  if (phase !== "stepping" || step === undefined) return;
  const members = turn.liveMembers();
  const busy = members.filter((worker) => !hasComputed(turn, step, worker));
  const straggler = busy[0];
  if (busy.length !== 1 || straggler === undefined || members.length < 2 || step.numRescues >= maxRescues) return;
  if (step.assignment.attempt > 0 || straggler.microBatchMs === undefined) return;
  const rank = turn.state.members.indexOf(straggler.workerId);
  const nodes = step.assignment.nodesByRank[rank]!;
  const progress = step.progress.get(straggler.workerId);
  const begun = Math.max(1, progress?.begunNodes ?? 1);
  const unbegun = nodes.slice(begun);
  if (unbegun.length === 0) return;
  const elapsedMs = turn.nowMs - step.startedAtMs;
  const total = nodes.reduce((sum, [lo, hi]) => sum + hi - lo, 0);
  const done = progress?.doneMicroBatches ?? 0;
  if (elapsedMs < Math.max(minRescueMs, lateFactor * total * straggler.microBatchMs)) return;
  const leftMs = (elapsedMs / Math.max(done, 0.5)) * (total - done);
  const speeds = memberSpeeds(turn.state);
  const idle = Math.min(
    ...members.flatMap(({ workerId }) =>
      workerId === straggler.workerId ? [] : [speeds[turn.state.members.indexOf(workerId)]!],
    ),
  );
  const takenMs = unbegun.reduce((sum, [lo, hi]) => sum + hi - lo, 0) * idle;
  if (leftMs < 2 * takenMs) return;
  const nodesByRank = mutable(
    shareOut({
      numMicroBatches: turn.state.plan.numMicroBatches,
      kept: step.assignment.nodesByRank.map((own, r) => (r === rank ? own.slice(0, begun) : own)),
      microBatchMs: speeds,
      isForbidden: (r, range) => r === rank && unbegun.some(([lo, hi]) => range[0] < hi && lo < range[1]),
    }),
  );
  const text = `${nameOf(straggler)} is late (${done} of ${total} micro-batches after ${Math.round(elapsedMs)} ms); ${unbegun.length} nodes that it has not begun are given to idle workers`;
  beginAttempt(turn, { nodesByRank, numRescues: step.numRescues + 1 }, text);
}
