/** @file Fields that several control messages use: each bounded, so that a message's size is bounded by its schema too. */
import * as z from "zod";

/** Most micro-batches of a step or of the evaluation grid. */
export const maxGridMicroBatches = 65_536;
/** Of one report. */
export const maxNotices = 64;
/** Most workers of one run. */
export const maxWorkersLimit = 256;
/** Most nodes that one rank computes in one attempt. */
export const maxNodesPerRank = 256;
/** Most bytes of one blob chunk. */
export const maxBlobChunkBytes = 1_048_576;
/** Most bytes of what one evaluation micro-batch gives the job's metrics. */
export const maxMetricStateBytes = 1_048_576;
/** Most bytes of those of a whole evaluation. */
export const maxEvaluationStateBytes = 134_217_728;
/** Most named tensors in a probe report. */
export const maxProbeTensors = 8_192;

export const count = z.int().min(0);
export const positive = z.int().min(1);
export const durationMs = z.number().min(0);
/** Step k >= 1 is the k-th committed update; 0 stands for the state before the first one. */
export const step = z.int().min(0).max(2_147_483_647);
export const generation = z.int().min(0).max(2_147_483_647);
/** Which coordinator process of a run. */
export const term = z.int().min(1).max(2_147_483_647);
export const attempt = z.int().min(0).max(2_147_483_647);
export const rank = z
  .int()
  .min(0)
  .max(maxWorkersLimit - 1);
export const workerId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
export const runId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
export const name = z.string().min(1).max(128);
export const reason = z.string().max(4_096);
export const code = z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/);
export const url = z.string().max(512);
export const ticket = z.string().regex(/^[0-9a-f]{32}$/);
/** 128-bit hash of core, 32 hex digits. */
export const hash128 = z.string().regex(/^[0-9a-f]{32}$/);
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
export const numericClass = z.string().min(1).max(64);

/** A range [lo, hi) of micro-batches; as a node of the tree when an assignment says so. */
export const microBatchRange = z.tuple([count.max(maxGridMicroBatches), z.int().min(1).max(maxGridMicroBatches)]);
/** [micro-batch, loss sum, weight], f64. */
export const microBatchSum = z.tuple([count.max(maxGridMicroBatches - 1), z.number(), z.number().min(0)]);

export const blobRef = z.strictObject({ sha256, byteLength: count });
export type BlobRef = z.infer<typeof blobRef>;

export const namedBlob = z.strictObject({ name, sha256, byteLength: count });
export type NamedBlob = z.infer<typeof namedBlob>;

/** A power of two. */
export const lossScale = z
  .number()
  .min(1)
  .max(2 ** 40)
  .refine((value) => 2 ** Math.round(Math.log2(value)) === value, "it must be a power of two");

/** Whether an assignment can carry this loss scale: a power of two from 1 to 2^40. */
export function isLossScale(value: number): boolean {
  return lossScale.safeParse(value).success;
}

/** Who computes what in one attempt of a step: a disjoint cover of [0, numMicroBatches) by tree nodes. */
export const assignment = z.strictObject({
  step: step.min(1),
  generation,
  attempt,
  /** Index is the rank; three nodes each at most by plan, more when a lost worker's nodes are shared out, none for an accused
   * worker. Shard s of every bucket is owned by rank s. */
  nodesByRank: z.array(z.array(microBatchRange).max(maxNodesPerRank)).min(1).max(maxWorkersLimit),
  /** By what members that compute in 16 bits multiply the loss before they go backward; absent where there is none. */
  lossScale: lossScale.optional(),
});
export type Assignment = z.infer<typeof assignment>;
