/**
 * @file How a worker that has another state than the run gets the run's: a snapshot, then every reduced gradient since, all as blobs.
 */
import * as z from "zod";
import { defineMessage } from "../codec/control-codec.js";
import * as field from "./control-fields.js";

export const restore = defineMessage({
  tag: 67,
  name: "restore",
  direction: "coordinatorToWorker",
  maxBytes: 65_536,
  since: 2,
  doc: "Fetch this snapshot and take its state; answered by level.",
  schema: z.strictObject({
    step: field.step,
    stateHash: field.hash128,
    files: z.array(field.namedBlob).min(1).max(64),
  }),
});

export const applyGradient = defineMessage({
  tag: 68,
  name: "applyGradient",
  direction: "coordinatorToWorker",
  maxBytes: 4_096,
  since: 2,
  doc: "Fetch the reduced gradient of the step after the one held and apply it; answered by level.",
  schema: z.strictObject({ step: field.step.min(1), gradient: field.blobRef }),
});

export const applyKept = defineMessage({
  tag: 69,
  name: "applyKept",
  direction: "coordinatorToWorker",
  maxBytes: 4_096,
  since: 2,
  doc: "Apply the reduced gradient that was reported before the connection broke: others have applied it. Answered by level.",
  schema: z.strictObject({ step: field.step.min(1), gradientHash: field.hash128 }),
});

export const gradientStored = defineMessage({
  tag: 70,
  name: "gradientStored",
  direction: "workerToCoordinator",
  maxBytes: 4_096,
  since: 2,
  doc: "The reduced gradient of a committed step is put as a blob.",
  schema: z.strictObject({ step: field.step.min(1), gradient: field.blobRef }),
});

export const level = defineMessage({
  tag: 71,
  name: "level",
  direction: "workerToCoordinator",
  maxBytes: 4_096,
  since: 2,
  doc: "The state that a worker outside of the generation holds now.",
  schema: z.strictObject({ step: field.step, stateHash: field.hash128 }),
});
