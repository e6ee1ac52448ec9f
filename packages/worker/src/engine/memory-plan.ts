/** @file How many bytes a job needs on one worker, known before step 1, and the table that says so. Pure. */
import { JobError } from "../errors.js";

export interface MemoryPlanRow {
  readonly what: string;
  readonly bytes: number;
  /** Where the number comes from. */
  readonly why: string;
}

export interface MemoryPlan {
  readonly rows: readonly MemoryPlanRow[];
  readonly totalBytes: number;
  /** Most bytes the backend's memory can grow to. */
  readonly maxBytes: number;
  readonly fits: boolean;
}

export interface MemoryNeeds {
  readonly parameterBytes: number;
  readonly bufferBytes: number;
  readonly optimizerBytes: number;
  /** Bytes of one flat gradient vector. */
  readonly vectorBytes: number;
  readonly numMicroBatches: number;
  /** Highest use during the probe micro-batch above what stood before it; undefined before it ran. */
  readonly activationBytes: number | undefined;
  readonly maxBytes: number;
}

/** Most nodes of one worker in an assignment. */
const maxNodesPerWorker = 3;

/** Node vectors a worker can hold at once: a stack over all micro-batches, or finished nodes and the stack of the last one. */
export function maxNodeVectors(numMicroBatches: number): number {
  const stack = Math.floor(Math.log2(numMicroBatches)) + 1;
  return Math.min(numMicroBatches, stack + maxNodesPerWorker - 1);
}

/** @source none: ours. */
export function memoryPlan(needs: MemoryNeeds): MemoryPlan {
  const numVectors = maxNodeVectors(needs.numMicroBatches);
  const rows: MemoryPlanRow[] = [
    { what: "parameters", bytes: needs.parameterBytes, why: "f32" },
    { what: "buffers", bytes: needs.bufferBytes, why: "f32" },
    { what: "optimizer state", bytes: needs.optimizerBytes, why: "one vector a moment" },
    {
      what: "node sums",
      bytes: numVectors * needs.vectorBytes,
      why: `${numVectors} vectors for ${needs.numMicroBatches} micro-batches`,
    },
    { what: "reduced gradient", bytes: needs.vectorBytes, why: "second buffer of the exchange" },
    {
      what: "one micro-batch",
      bytes: needs.activationBytes ?? 0,
      why:
        needs.activationBytes === undefined ? "not measured yet" : "activations and gradients, measured by the probe",
    },
  ];
  const totalBytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  return { rows, totalBytes, maxBytes: needs.maxBytes, fits: totalBytes <= needs.maxBytes };
}

/** The plan as lines of text, right-aligned MiB. */
export function formatMemoryPlan(plan: MemoryPlan): string {
  const mebibytes = (bytes: number): string => (bytes / 1048576).toFixed(1).padStart(10);
  const lines = plan.rows.map((row) => `  ${row.what.padEnd(18)}${mebibytes(row.bytes)} MiB  ${row.why}`);
  lines.push(`  ${"all".padEnd(18)}${mebibytes(plan.totalBytes)} MiB  of ${mebibytes(plan.maxBytes).trim()} MiB`);
  return lines.join("\n");
}

/** @throws {JobError} E_MEMORY_PLAN with the table when the plan does not fit. */
export function assertPlanFits(plan: MemoryPlan, cause?: unknown): void {
  if (plan.fits && cause === undefined) return;
  throw new JobError(
    `memory: the job needs ${cause === undefined ? "" : "more than "}${plan.totalBytes} bytes on this worker; it must fit in ${plan.maxBytes}. Lower microBatchSize, the context or the model's size.\n${formatMemoryPlan(plan)}`,
    { totalBytes: plan.totalBytes, maxBytes: plan.maxBytes, rows: plan.rows },
    "E_MEMORY_PLAN",
    cause === undefined ? undefined : { cause },
  );
}
