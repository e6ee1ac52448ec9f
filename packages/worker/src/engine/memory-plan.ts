/** @file How many bytes a job needs on one worker, known before step 1, and the table that says so. Pure. */
import type { OutOfMemoryError } from "@lockstep/core";
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

/** Undefined is what was not known yet when the memory was full. */
export interface MemoryNeeds {
  readonly parameterBytes: number | undefined;
  readonly bufferBytes: number | undefined;
  readonly optimizerBytes: number | undefined;
  /** Bytes of one flat gradient vector. */
  readonly vectorBytes: number | undefined;
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
  const row = (what: string, bytes: number | undefined, why: string): MemoryPlanRow => {
    return { what, bytes: bytes ?? 0, why: bytes === undefined ? "not known yet" : why };
  };
  const { vectorBytes } = needs;
  const nodeBytes = vectorBytes === undefined ? undefined : numVectors * vectorBytes;
  const rows: MemoryPlanRow[] = [
    row("parameters", needs.parameterBytes, "f32"),
    row("buffers", needs.bufferBytes, "f32"),
    row("optimizer state", needs.optimizerBytes, "one vector a moment"),
    row("node sums", nodeBytes, `${numVectors} vectors for ${needs.numMicroBatches} micro-batches`),
    row("reduced gradient", vectorBytes, "second buffer of the exchange"),
    row("one micro-batch", needs.activationBytes, "activations and gradients, measured by the probe"),
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
export function assertPlanFits(plan: MemoryPlan): void {
  if (!plan.fits) throw planError(plan, `the job needs ${plan.totalBytes} bytes on this worker`);
}

/** The error of a job whose allocation failed before its plan was whole. */
export function memoryFullError(plan: MemoryPlan, cause: OutOfMemoryError): JobError {
  const { usedBytes, askedBytes } = cause.fields;
  const what = `the job needs more than ${plan.maxBytes} bytes on this worker: ${usedBytes} were used when ${askedBytes} more were asked for`;
  return planError(plan, what, cause);
}

function planError(plan: MemoryPlan, what: string, cause?: Error): JobError {
  return new JobError(
    `memory: ${what}; it must fit in ${plan.maxBytes}. Lower microBatchSize, the context or the model's size.\n${formatMemoryPlan(plan)}`,
    { totalBytes: plan.totalBytes, maxBytes: plan.maxBytes, rows: plan.rows },
    "E_MEMORY_PLAN",
    cause === undefined ? undefined : { cause },
  );
}
