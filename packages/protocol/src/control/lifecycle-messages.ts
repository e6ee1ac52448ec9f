/** @file Being alive, failing, leaving and stopping. */
import * as z from "zod";
import { defineMessage } from "../codec/control-codec.js";
import * as field from "./control-fields.js";

export const heartbeat = defineMessage({
  tag: 80,
  name: "heartbeat",
  direction: "workerToCoordinator",
  maxBytes: 1_024,
  since: 1,
  doc: "The worker's socket thread is alive. Answered by pong.",
  schema: z.strictObject({ sequence: field.count }),
});

export const pong = defineMessage({
  tag: 81,
  name: "pong",
  direction: "coordinatorToWorker",
  maxBytes: 1_024,
  since: 1,
  doc: "The coordinator is alive; echoes the heartbeat's sequence.",
  schema: z.strictObject({ sequence: field.count }),
});

const workerPhase = z.enum(["load", "probe", "link", "step", "evaluate", "checkpoint"]);
export type WorkerPhase = z.infer<typeof workerPhase>;

export const workerError = defineMessage({
  tag: 82,
  name: "workerError",
  direction: "workerToCoordinator",
  maxBytes: 65_536,
  since: 1,
  doc: "The worker cannot go on: the job failed to load, a loss is not finite, memory is short.",
  schema: z.strictObject({
    phase: workerPhase,
    code: field.code,
    message: z.string().max(16_384),
    step: field.step.nullable(),
    tensor: z.string().max(512).nullable(),
    /** Whether its copy of the last committed state can still be checkpointed. */
    isStateIntact: z.boolean(),
  }),
});

export const stop = defineMessage({
  tag: 83,
  name: "stop",
  direction: "coordinatorToWorker",
  maxBytes: 16_384,
  since: 1,
  doc: "The run is over for this worker; it answers goodbye and closes.",
  schema: z.strictObject({
    status: z.enum(["completed", "interrupted", "failed"]),
    code: field.code,
    reason: field.reason,
  }),
});

export const goodbye = defineMessage({
  tag: 84,
  name: "goodbye",
  direction: "workerToCoordinator",
  maxBytes: 16_384,
  since: 1,
  doc: "The worker leaves, after stop or of its own will.",
  schema: z.strictObject({ reason: field.reason }),
});
