/** @file One step: assignment, report, commit, and what follows a commit. Steps count from 1: step k makes state k. */
import * as z from "zod";
import { defineMessage } from "../codec/control-codec.js";
import * as field from "./control-fields.js";

export const assign = defineMessage({
  tag: 48,
  name: "assign",
  direction: "coordinatorToWorker",
  maxBytes: 1_048_576,
  since: 1,
  doc: "Begin this step: the first of a generation, or the one after an evaluation or a checkpoint.",
  schema: z.strictObject({ assignment: field.assignment }),
});

export const stepReport = defineMessage({
  tag: 49,
  name: "stepReport",
  direction: "workerToCoordinator",
  maxBytes: 4_194_304,
  since: 1,
  doc: "The worker holds the whole reduced gradient of the step and has not applied it.",
  schema: z.strictObject({
    step: field.step.min(1),
    generation: field.generation,
    attempt: field.attempt,
    gradientHash: field.hash128,
    /** State step - 1, and what its update measured (null for the state this invocation began with). */
    previous: z.strictObject({
      stateHash: field.hash128,
      gradNorm: z.number().nullable(),
      learningRate: z.number().nullable(),
    }),
    /** The micro-batches this rank computed. */
    losses: z.array(field.microBatchSum).max(field.maxGridMicroBatches),
    /** Micro-batches that overflowed at the assignment's loss scale, and the smaller one at which each was computed. */
    overflows: z
      .array(z.tuple([field.count.max(field.maxGridMicroBatches - 1), field.lossScale]))
      .max(field.maxGridMicroBatches)
      .optional(),
    /** Trained tokens of those micro-batches; null when the job does not count tokens. */
    numTokens: field.count.nullable(),
    /** What happened to micro-batches that were computed all the same: a device that was lost and opened anew. */
    notices: z
      .array(
        z.strictObject({
          microBatch: field.count.max(field.maxGridMicroBatches - 1),
          code: field.code,
          message: field.reason,
        }),
      )
      .max(field.maxNotices)
      .optional(),
    computeMs: field.durationMs,
    commMs: field.durationMs,
    bytesSent: field.count,
    /** [lo, hi, sum of squares] of every node, over the shards that this rank reduced. */
    nodeSquares: z
      .array(
        z.tuple([
          field.count.max(field.maxGridMicroBatches),
          z.int().min(1).max(field.maxGridMicroBatches),
          z.number().min(0),
        ]),
      )
      .max(field.maxGridMicroBatches),
  }),
});

export const commit = defineMessage({
  tag: 50,
  name: "commit",
  direction: "coordinatorToWorker",
  maxBytes: 1_048_576,
  since: 1,
  doc: "Apply the step's gradient. Then go on with next; where that is null, answer with applied and wait for orders.",
  schema: z.strictObject({
    step: field.step.min(1),
    generation: field.generation,
    attempt: field.attempt,
    gradientHash: field.hash128,
    /** null when something else than a step follows. */
    next: field.assignment.nullable(),
    /** The rank that takes a snapshot of this step's state and uploads it while the run goes on. */
    snapshotRank: field.rank.nullable(),
    /** The rank that uploads this step's reduced gradient, for workers that catch up. */
    gradientRank: field.rank.nullable(),
    isLast: z.boolean(),
  }),
});

export const applied = defineMessage({
  tag: 51,
  name: "applied",
  direction: "workerToCoordinator",
  maxBytes: 4_096,
  since: 1,
  doc: "The update of a commit without a next assignment is applied; its state's hash.",
  schema: z.strictObject({
    step: field.step.min(1),
    generation: field.generation,
    stateHash: field.hash128,
    gradNorm: z.number().nullable(),
    learningRate: z.number().nullable(),
  }),
});

export const evaluate = defineMessage({
  tag: 54,
  name: "evaluate",
  direction: "coordinatorToWorker",
  maxBytes: 1_048_576,
  since: 2,
  doc: "Evaluate these micro-batches of the evaluation grid with the state after this step; answered by evaluated.",
  schema: z.strictObject({
    step: field.step,
    generation: field.generation,
    ranges: z.array(field.microBatchRange).min(1).max(field.maxNodesPerRank),
  }),
});

export const progress = defineMessage({
  tag: 55,
  name: "progress",
  direction: "workerToCoordinator",
  maxBytes: 1_024,
  since: 2,
  doc: "How far the worker's own nodes of an attempt are: by it the coordinator sees who waits and who is waited for.",
  schema: z.strictObject({
    step: field.step.min(1),
    generation: field.generation,
    attempt: field.attempt,
    /** Nodes begun, the finished ones included, in the order of the assignment. */
    begunNodes: field.count.max(field.maxNodesPerRank),
    doneMicroBatches: field.count.max(field.maxGridMicroBatches),
  }),
});

export const stepFailed = defineMessage({
  tag: 56,
  name: "stepFailed",
  direction: "workerToCoordinator",
  maxBytes: 65_536,
  since: 2,
  doc: "This attempt cannot be finished here; the worker is well, keeps its state and node sums, and waits for orders.",
  schema: z.strictObject({
    step: field.step.min(1),
    generation: field.generation,
    attempt: field.attempt,
    code: field.code,
    message: z.string().max(16_384),
    /** Whose fault it seems: who sent what was refused, or was not to be reached; the worker itself for its own values. */
    accusedId: field.workerId.nullable(),
    /** The node whose values are meant, where it is one. */
    node: field.microBatchRange.nullable(),
    tensor: z.string().max(512).nullable(),
  }),
});

export const evaluated = defineMessage({
  tag: 52,
  name: "evaluated",
  direction: "workerToCoordinator",
  maxBytes: 4_194_304,
  since: 1,
  doc: "Sums of evaluation micro-batches this rank was given, from the first on; several messages where states are large.",
  schema: z.strictObject({
    step: field.step,
    generation: field.generation,
    losses: z.array(field.microBatchSum).max(field.maxGridMicroBatches),
    /** What the job's metrics saw in each of those micro-batches: bytes that only workers and the job can read. */
    states: z
      .array(z.tuple([field.count.max(field.maxGridMicroBatches - 1), z.instanceof(Uint8Array)]))
      .max(field.maxGridMicroBatches)
      .optional(),
    evalMs: field.durationMs,
  }),
});

export const abortStep = defineMessage({
  tag: 53,
  name: "abortStep",
  direction: "coordinatorToWorker",
  maxBytes: 16_384,
  since: 1,
  doc: "Give up this attempt: stop computing and exchanging, keep state and node sums, wait for what comes.",
  schema: z.strictObject({
    step: field.step.min(1),
    generation: field.generation,
    attempt: field.attempt,
    reason: field.reason,
  }),
});
