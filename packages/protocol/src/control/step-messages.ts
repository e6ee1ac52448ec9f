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
    /** Trained tokens of those micro-batches; null when the job does not count tokens. */
    numTokens: field.count.nullable(),
    computeMs: field.durationMs,
    commMs: field.durationMs,
    bytesSent: field.count,
  }),
});

export const commit = defineMessage({
  tag: 50,
  name: "commit",
  direction: "coordinatorToWorker",
  maxBytes: 1_048_576,
  since: 1,
  doc: "Apply the step's gradient. Then evaluate and checkpoint if told so and answer with applied; go on with next if it is there.",
  schema: z.strictObject({
    step: field.step.min(1),
    generation: field.generation,
    attempt: field.attempt,
    gradientHash: field.hash128,
    /** null when an evaluation, a checkpoint or the end follows: send applied, then wait for assign or stop. */
    next: field.assignment.nullable(),
    /** Contiguous ranges of the evaluation grid, by rank; a range with lo = hi is not sent, null means nothing to do. */
    evaluate: z.array(field.microBatchRange.nullable()).max(field.maxWorkersLimit).nullable(),
    /** The rank that streams a checkpoint of this step's state. */
    checkpointRank: field.rank.nullable(),
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

export const evaluated = defineMessage({
  tag: 52,
  name: "evaluated",
  direction: "workerToCoordinator",
  maxBytes: 4_194_304,
  since: 1,
  doc: "Sums of the evaluation micro-batches this rank was given.",
  schema: z.strictObject({
    step: field.step,
    generation: field.generation,
    losses: z.array(field.microBatchSum).max(field.maxGridMicroBatches),
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
