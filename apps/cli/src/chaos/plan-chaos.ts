/**
 * @file What `lockstep run --chaos SEED` will break, and after which committed step. Pure: the same seed, workers and steps give the
 * same plan.
 *
 * Invariant: at every moment of the plan at least one worker is neither killed nor frozen. When an act can really be done is the
 * executor's to find out (run-chaos.ts).
 */
import { Generator } from "@lockstep/core";

export type ChaosAct = {
  /** The act is due when this step is committed. */
  readonly afterStep: number;
  /** Which worker, by its number on this machine. */
  readonly index: number;
  /** What a person reads when it happens. */
  readonly sentence: string;
} & (
  | { readonly kind: "kill" }
  /** A new process in the place of a killed one. */
  | { readonly kind: "restart" }
  /** SIGSTOP, and after `forMs` SIGCONT. */
  | { readonly kind: "freeze"; readonly forMs: number }
  /** One worker more. */
  | { readonly kind: "join" }
);

export interface ChaosPlanOptions {
  readonly seed: number;
  /** At least 2. */
  readonly workers: number;
  /** Committed before this invocation. */
  readonly startStep: number;
  readonly stopStep: number;
}

/** Acts of a long run; shorter runs have fewer. */
const maxActs = 16;
const minGapSteps = 2;
const freezeMs = { least: 1_000, most: 4_000 };

export function planChaos({ seed, workers, startStep, stopStep }: ChaosPlanOptions): readonly ChaosAct[] {
  const random = new Generator(seed);
  const meanGap = Math.max(minGapSteps, Math.ceil((stopStep - startStep) / maxActs));
  const gap = () => meanGap - (meanGap >> 1) + random.integer(meanGap);
  const acts: ChaosAct[] = [];
  const killed = new Set<number>();
  const alive = new Set(Array.from({ length: workers }, (_, index) => index));
  let hasJoined = false;
  // Each kind once, in random order, then as it comes.
  const first = [...random.permutation(3)].map((at) => (["kill", "freeze", "join"] as const)[at]!);
  for (let afterStep = startStep + gap(); afterStep < stopStep; afterStep += gap()) {
    const kind = killed.size > 0 && random.integer(2) === 0 ? "restart" : (first.shift() ?? chooseKind(random));
    const pick = (from: ReadonlySet<number>) => [...from].sort((a, b) => a - b)[random.integer(from.size)]!;
    if (kind === "join" && !hasJoined) {
      hasJoined = true;
      alive.add(workers);
      acts.push({ kind, afterStep, index: workers, sentence: `starts one more worker, ${nameOf(workers)}` });
    } else if (kind === "restart" || alive.size < 2 || kind === "join") {
      if (killed.size === 0) continue;
      const index = pick(killed);
      killed.delete(index);
      alive.add(index);
      const sentence = `starts ${nameOf(index)} anew: a new process under the old name`;
      acts.push({ kind: "restart", afterStep, index, sentence });
    } else if (kind === "freeze") {
      const index = pick(alive);
      const forMs = freezeMs.least + random.integer(freezeMs.most - freezeMs.least + 1);
      const sentence = `freezes ${nameOf(index)} with SIGSTOP for ${(forMs / 1_000).toFixed(1)} s`;
      acts.push({ kind, afterStep, index, forMs, sentence });
    } else {
      const index = pick(alive);
      alive.delete(index);
      killed.add(index);
      acts.push({ kind, afterStep, index, sentence: `kills ${nameOf(index)} with SIGKILL` });
    }
  }
  return acts;
}

function chooseKind(random: Generator): "kill" | "freeze" {
  return random.integer(5) < 3 ? "kill" : "freeze";
}

function nameOf(index: number): string {
  return `worker "${workerName(index)}"`;
}

/** What the worker processes of `lockstep run` are called. */
export function workerName(index: number): string {
  return `local-${index}`;
}
