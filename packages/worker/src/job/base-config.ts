/** @file The configuration keys that every job has. `--set` works on them as on the job's own. */
import * as z from "zod";

const count = z.int().positive();
const countOrZero = z.int().nonnegative();

/** Keys, rules and defaults; a job's `training` replaces the defaults. */
export const baseConfigSchema = z.object({
  /** Samples of a step. Fixed by the job, never by the number of workers. */
  globalBatchSize: count.default(32),
  /** Samples of a micro-batch: what one worker computes at a time. Divides globalBatchSize. */
  microBatchSize: count.default(8),
  /** Steps of the whole job; the horizon of schedules. */
  totalSteps: count.default(100),
  /** Evaluate after every so many steps, and after the last; 0: only after the last. */
  evalIntervalSteps: countOrZero.default(0),
  /** Checkpoint after every so many steps, and after the last; 0: only after the last. */
  checkpointIntervalSteps: countOrZero.default(0),
  /** Checkpoint at the first step after so many seconds; 0: not by time. */
  checkpointIntervalSeconds: z.number().nonnegative().default(0),
  /** Newest checkpoints that stay; 0: all. The best one stays beside them. */
  keepCheckpoints: countOrZero.default(0),
  /** Write a checkpoint whenever the held-out loss is the least so far, and keep it. */
  keepBestCheckpoint: z.boolean().default(false),
  /** The metric that says which state is best; "": the held-out loss. */
  bestMetric: z.string().default(""),
  /** Whether its least or its greatest value is best; "auto": as the metric says. */
  bestMode: z.enum(["auto", "min", "max"]).default("auto"),
  /** Gradients are scaled down to this global norm; 0: never. */
  maxGradNorm: z.number().nonnegative().default(0),
  /** Elements of gradients are brought into +- this, before the norm is looked at; 0: never. */
  maxGradValue: z.number().nonnegative().default(0),
  /** Bytes of one piece of the flat gradient on the wire, a multiple of 4; 0: a quarter of it, at least 1 MiB, at most 4. Changes no bits. */
  bucketBytes: countOrZero.multipleOf(4).default(0),
});

export type BaseConfig = z.infer<typeof baseConfigSchema>;

export const baseConfigKeys: readonly (keyof BaseConfig)[] = Object.keys(
  baseConfigSchema.shape,
) as (keyof BaseConfig)[];

const mebibyte = 1 << 20;

/** Bytes of a bucket when the gradient has so many floats: what is set, else large enough for few frames, small enough to overlap. */
export function bucketBytesOf({ bucketBytes }: Pick<BaseConfig, "bucketBytes">, gradientFloats: number): number {
  if (bucketBytes > 0) return bucketBytes;
  return Math.min(4, Math.max(1, Math.ceil(gradientFloats / mebibyte))) * mebibyte;
}
