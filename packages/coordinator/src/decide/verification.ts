/**
 * @file A step that succeeded is computed again in part, by somebody else: audited nodes by chance, nodes of unusual norm always. The
 * second attempt sends the other worker's vector through the same exchange, so that what is compared is what was really sent.
 */
import { shareOut } from "../assignment/share-out.js";
import type { CoordinatorState, StepInFlight, Verification } from "../state/coordinator-state.js";
import { strike } from "./accusations.js";
import { fail } from "./ending.js";
import { beginAttempt, memberSpeeds, mutable } from "./generation.js";
import { nameOf, type Turn } from "./turn.js";

/** Node norms that must be known before one is unusual, and how many are remembered. */
const minNorms = 32;
const maxNorms = 256;

/** @returns whether the step must wait: a node of it is computed again. */
export function verify(turn: Turn, step: StepInFlight): boolean {
  if (step.verification !== undefined) return compare(turn, step, step.verification);
  const norms = normsOf(step);
  const { recentNorms } = turn.state;
  const suspect = step.isVerified || turn.liveMembers().length < 2 ? undefined : chooseNode(turn.state, step, norms);
  if (suspect === undefined) {
    turn.set({ recentNorms: [...recentNorms, ...norms.map(({ norm }) => norm)].slice(-maxNorms) });
    return false;
  }
  const { lo, hi, kind } = suspect;
  const rank = rankOfNode(step, lo, hi);
  const workerId = turn.state.members[rank]!;
  const { gradientHash } = step.reports.values().next().value!;
  again(turn, step, { kind, lo, hi, results: [{ workerId, gradientHash }] }, suspect.why);
  return true;
}

interface NodeNorm {
  readonly lo: number;
  readonly hi: number;
  /** Root of the sum of squares, per micro-batch. */
  readonly norm: number;
}

/** Each owner has the squares of its shards; a node's are their sum. */
function normsOf({ reports }: StepInFlight): NodeNorm[] {
  const squares = new Map<string, { lo: number; hi: number; sum: number }>();
  for (const { nodeSquares } of reports.values()) {
    for (const [lo, hi, sum] of nodeSquares) {
      const entry = squares.get(`${lo}-${hi}`);
      if (entry === undefined) squares.set(`${lo}-${hi}`, { lo, hi, sum });
      else entry.sum += sum;
    }
  }
  return [...squares.values()].map(({ lo, hi, sum }) => ({ lo, hi, norm: Math.sqrt(sum) / (hi - lo) }));
}

function chooseNode(state: CoordinatorState, step: StepInFlight, norms: readonly NodeNorm[]) {
  const { trust, welcome } = state.plan;
  const median = medianOf(state.recentNorms);
  const largest = norms.toSorted((a, b) => b.norm - a.norm)[0];
  if (largest !== undefined && state.recentNorms.length >= minNorms && largest.norm > trust.outlierFactor * median) {
    const why = `the gradient of micro-batches ${largest.lo}..${largest.hi - 1} has a norm of ${largest.norm.toPrecision(4)} a micro-batch, ${(largest.norm / median).toFixed(1)} times the usual one`;
    return { kind: "outlier" as const, lo: largest.lo, hi: largest.hi, why };
  }
  if (trust.auditRate <= 0) return undefined;
  const { step: k, nodesByRank } = step.assignment;
  const nodes = nodesByRank.flat();
  const [lo, hi] = nodes[Math.floor(fraction(welcome.seed, k, 1) * nodes.length)]!;
  // One node a step at most: its chance makes the share of micro-batches come out.
  const chance = (trust.auditRate * state.plan.numMicroBatches) / (hi - lo);
  if (fraction(welcome.seed, k, 2) >= chance) return undefined;
  return { kind: "audit" as const, lo, hi, why: `micro-batches ${lo}..${hi - 1} are audited` };
}

function compare(turn: Turn, step: StepInFlight, verification: Verification): boolean {
  const { lo, hi, kind } = verification;
  const workerId = turn.state.members[rankOfNode(step, lo, hi)]!;
  const { gradientHash } = step.reports.values().next().value!;
  const results = [...verification.results, { workerId, gradientHash }];
  const count = (hash: string): number => results.filter((result) => result.gradientHash === hash).length;
  const accepted = results.find((result) => count(result.gradientHash) >= 2)?.gradientHash;
  const what = `micro-batches ${lo}..${hi - 1} of step ${step.assignment.step}`;
  const nameOfId = (id: string): string => nameOf(turn.worker(id) ?? { workerId: id, name: id });
  if (accepted === gradientHash) {
    const wrong = results.filter((result) => result.gradientHash !== accepted);
    const type = kind === "audit" ? "audited" : "outlier";
    turn.log(
      type,
      `${what}: ${results.map((result) => nameOfId(result.workerId)).join(", ")} computed them; ${wrong.length === 0 ? "equal bits" : `${count(accepted)} of ${results.length} agree`}, the step is accepted`,
      { lo, hi, results },
    );
    for (const result of wrong)
      strike(turn, result.workerId, `its values for ${what} differ from those of two other computations`);
    return false;
  }
  if (results.length >= 3) {
    const sides = results.map((result) => `${nameOfId(result.workerId)}: ${result.gradientHash}`).join("; ");
    fail(
      turn,
      "E_AUDIT",
      `audit: ${what} gave a different gradient each time: ${sides}; the same worker class must give the same bits. Run \`lockstep check\` on these machines; the run stops at the state before this step.`,
    );
    return true;
  }
  again(turn, step, { kind, lo, hi, results }, `${what} gave two different gradients; a third computation decides`);
  return true;
}

/** Gives the node to somebody of the same numeric class who has not computed it yet; where all have, to the first, who computes it anew. */
function again(turn: Turn, step: StepInFlight, verification: Verification, why: string): void {
  const { lo, hi } = verification;
  const { members, plan } = turn.state;
  const done = new Set(verification.results.map(({ workerId }) => workerId));
  const classOf = (id: string): string | undefined => turn.worker(id)?.ready?.numericClass;
  const wanted = classOf(verification.results[0]!.workerId);
  const candidates = members.flatMap((id, rank) =>
    turn.worker(id) === undefined || done.has(id) || classOf(id) !== wanted ? [] : [rank],
  );
  const to = candidates[0] ?? members.indexOf(verification.results[0]!.workerId);
  const kept = step.assignment.nodesByRank.map((own) => own.filter((node) => node[0] !== lo || node[1] !== hi));
  const nodesByRank = mutable(
    shareOut({
      numMicroBatches: plan.numMicroBatches,
      kept: kept.map((own, rank) => (rank === to ? [...own, [lo, hi] as const] : own)),
      microBatchMs: memberSpeeds(turn.state),
    }),
  );
  beginAttempt(turn, { nodesByRank, verification, isVerified: true }, why);
}

function rankOfNode({ assignment }: StepInFlight, lo: number, hi: number): number {
  return Math.max(
    0,
    assignment.nodesByRank.findIndex((own) => own.some((node) => node[0] === lo && node[1] === hi)),
  );
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** In [0, 1), from seed, step and a use; the same for every coordinator of the run. Mixing as in MurmurHash3's finalizer. */
function fraction(seed: number, step: number, use: number): number {
  let h = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(step + use * 0x10001, 0xc2b2ae35)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 4_294_967_296;
}
