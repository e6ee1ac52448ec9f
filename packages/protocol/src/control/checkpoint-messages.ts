/** @file Checkpoints travel as blobs; these messages say of which state they are and which files belong to one. */
import * as z from "zod";
import { defineMessage } from "../codec/control-codec.js";
import * as field from "./control-fields.js";

export const checkpointRequest = defineMessage({
  tag: 64,
  name: "checkpointRequest",
  direction: "coordinatorToWorker",
  maxBytes: 16_384,
  since: 1,
  doc: "Take a snapshot of the state after this step and upload it; the worker has nothing else to do for the moment.",
  schema: z.strictObject({
    generation: field.generation,
    step: field.step,
    reason: field.reason,
  }),
});

export const checkpointDone = defineMessage({
  tag: 65,
  name: "checkpointDone",
  direction: "workerToCoordinator",
  maxBytes: 65_536,
  since: 1,
  doc: "All files of a snapshot are put as blobs.",
  schema: z.strictObject({
    generation: field.generation,
    step: field.step,
    stateHash: field.hash128,
    /** model.safetensors, optimizer.safetensors, trainer.json. */
    files: z.array(field.namedBlob).min(1).max(64),
    paramsSha256: field.sha256,
  }),
});

export const checkpointFailed = defineMessage({
  tag: 66,
  name: "checkpointFailed",
  direction: "workerToCoordinator",
  maxBytes: 16_384,
  since: 2,
  doc: "The snapshot could not be taken or uploaded; the worker goes on.",
  schema: z.strictObject({
    generation: field.generation,
    step: field.step,
    code: field.code,
    message: field.reason,
  }),
});
