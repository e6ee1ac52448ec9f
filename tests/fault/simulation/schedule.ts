/** @file What happens to a simulated run, by seed: which faults, and after the commit of which step. Pure. */
import { createSeededRandom } from "@lockstep/collectives/testing";
import type { SimJob } from "./sim-coordinator.js";

export type FaultKind =
  | "kill"
  | "killAll"
  | "freeze"
  | "sever"
  | "cutControl"
  | "swallowControl"
  | "join"
  | "killCoordinator"
  | "poison"
  | "duplicate";

export interface PlannedFault {
  readonly kind: FaultKind;
  /** Happens `afterMs` after this step was first committed. */
  readonly step: number;
  readonly afterMs: number;
  /** How long it lasts, where it does. */
  readonly forMs: number;
  /** Chooses whom it hits. */
  readonly pick: number;
}

export interface Schedule {
  readonly seed: number;
  readonly job: SimJob;
  readonly numWorkers: number;
  readonly delayMs: readonly [number, number];
  readonly controlDelayMs: readonly [number, number];
  readonly msPerMicroBatch: readonly number[];
  readonly faults: readonly PlannedFault[];
}

const kinds: readonly FaultKind[] = [
  ...(["kill", "kill", "freeze", "freeze", "sever", "cutControl", "swallowControl"] as const),
  "killAll",
  ...(["join", "join", "killCoordinator", "poison", "duplicate"] as const),
];

export function planSchedule(seed: number): Schedule {
  const random = createSeededRandom(seed);
  const numMicroBatches = random.between(4, 9);
  const numWorkers = random.between(1, 3);
  const stopStep = random.between(16, 20);
  const numFaults = random.between(1, 5);
  const job: SimJob = {
    numMicroBatches,
    stopStep,
    minWorkers: numWorkers,
    maxWorkers: 4,
    evalIntervalSteps: random.between(0, 4),
    checkpointIntervalSteps: random.between(0, 3),
    auditRate: random.next() < 0.2 ? 0.2 : 0,
  };
  return {
    seed,
    job,
    numWorkers,
    delayMs: [0.1, random.next() < 0.2 ? 40 : 3],
    controlDelayMs: [1, random.next() < 0.2 ? 60 : 6],
    msPerMicroBatch: Array.from({ length: 12 }, () => random.between(2, 12)),
    faults: Array.from({ length: numFaults }, () => ({
      kind: kinds[random.between(0, kinds.length - 1)]!,
      step: random.between(0, stopStep - 13),
      afterMs: random.next() * 80,
      forMs: random.next() < 0.5 ? random.between(20, 900) : random.between(900, 14_000),
      pick: random.next(),
    })),
  };
}
