/** @file What a worker and the coordinator say until the worker is proven able to work: hello, welcome, ready. */
import * as z from "zod";
import { defineMessage } from "../codec/control-codec.js";
import * as field from "./control-fields.js";

export const hello = defineMessage({
  tag: 1,
  name: "hello",
  direction: "workerToCoordinator",
  maxBytes: 8_192,
  since: 1,
  doc: "First message of a worker. Unknown fields are ignored, so that a worker of another version gets a readable refusal.",
  schema: z.object({
    protocolVersion: z.int(),
    numericsVersion: z.int(),
    lockstepVersion: z.string().max(64),
    workerId: field.workerId,
    name: field.name,
    /** Numeric classes this worker can compute in, e.g. ["strict", "fused"]. */
    numericClasses: z.array(field.numericClass).max(8),
    threads: field.positive.max(1_024),
    /** ws:// addresses on which peers may dial this worker; empty when it cannot listen. */
    listenUrls: z.array(field.url).max(8),
    canDial: z.boolean(),
    platform: z.string().max(256),
    /** What a worker that comes back holds of an earlier connection; null for one that begins. */
    held: z
      .strictObject({
        runId: field.runId,
        term: field.term,
        step: field.step,
        stateHash: field.hash128,
        /** The reduced gradient of step + 1 that it reported and still keeps. */
        reported: z.strictObject({ step: field.step.min(1), gradientHash: field.hash128 }).nullable(),
      })
      .nullable(),
  }),
});

/** A file of the job, as the worker will find it under its logical name. */
const jobFile = z.strictObject({
  logicalName: field.name,
  /** Path inside the logical name, "" when the name is a single file. */
  path: z.string().max(1_024),
  sha256: field.sha256,
  byteLength: field.count,
});
export type JobFile = z.infer<typeof jobFile>;

export const welcome = defineMessage({
  tag: 2,
  name: "welcome",
  direction: "coordinatorToWorker",
  maxBytes: 8_388_608,
  since: 1,
  doc: "The worker is admitted to prepare: what to run, from which blobs, from which state, until which step.",
  schema: z.strictObject({
    runId: field.runId,
    /** Grows by one each time a coordinator takes this run up. */
    term: field.term,
    workerId: field.workerId,
    jobName: field.name,
    jobBundle: field.blobRef,
    /** JSON text of the job's config with all defaults and overrides applied. */
    configJson: z.string().max(1_048_576),
    files: z.array(jobFile).max(65_536),
    seed: z.int().min(0),
    /** CPU class of the run. */
    numeric: z.enum(["strict", "fused"]),
    threads: field.positive.max(1_024).nullable(),
    /** Weights to start from instead of fresh ones, a safetensors blob. */
    initFrom: field.blobRef.nullable(),
    /** Checkpoint to continue from. */
    resume: z.strictObject({ step: field.step, files: z.array(field.namedBlob).max(64) }).nullable(),
    /** This invocation ends after committing this step. */
    stopStep: field.step,
    heartbeatIntervalMs: field.durationMs,
    heartbeatTimeoutMs: field.durationMs,
    /** How long a worker that lost its coordinator tries to reach it again, unless it was told otherwise. */
    reconnectTimeoutMs: field.durationMs,
    maxChunkBytes: field.positive.max(field.maxBlobChunkBytes),
  }),
});

export const refused = defineMessage({
  tag: 3,
  name: "refused",
  direction: "coordinatorToWorker",
  maxBytes: 16_384,
  since: 1,
  doc: "The worker may not take part; the connection closes after it.",
  schema: z.strictObject({ code: field.code, message: field.reason }),
});

export const notice = defineMessage({
  tag: 4,
  name: "notice",
  direction: "coordinatorToWorker",
  maxBytes: 16_384,
  since: 1,
  doc: "A line for the person at the worker: who is waited for, that this worker is a spare.",
  schema: z.strictObject({ code: field.code, message: field.reason }),
});

export const welcomeBack = defineMessage({
  tag: 6,
  name: "welcomeBack",
  direction: "coordinatorToWorker",
  maxBytes: 1_024,
  since: 2,
  doc: "A worker that comes back is known: it keeps its state and waits for orders. A term below the one it knows is refused by it.",
  schema: z.strictObject({ runId: field.runId, term: field.term }),
});

export const ready = defineMessage({
  tag: 5,
  name: "ready",
  direction: "workerToCoordinator",
  maxBytes: 2_097_152,
  since: 1,
  doc: "The worker has built the model and computed the probe micro-batch; its hashes are compared with the other workers'.",
  schema: z.strictObject({
    numericClass: field.numericClass,
    /** Hash of names, shapes and order of the flat gradient. */
    layout: z.strictObject({ hash: field.hash128, gradientFloats: field.count, numTensors: field.count }),
    probe: z.strictObject({
      hash: field.hash128,
      tensors: z.array(z.strictObject({ name: z.string().max(512), hash: field.hash128 })).max(field.maxProbeTensors),
    }),
    /** State before the first step of this invocation. */
    state: z.strictObject({ step: field.step, stateHash: field.hash128 }),
    grid: z.strictObject({
      numMicroBatches: field.positive.max(field.maxGridMicroBatches),
      numEvalMicroBatches: field.count.max(field.maxGridMicroBatches),
      samplesPerStep: field.positive,
    }),
    prepareMs: field.durationMs,
  }),
});
