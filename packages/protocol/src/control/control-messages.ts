/** @file The table of all control messages, and the codec for it; docs/protocol.md is generated from the table. */
import { createControlCodec, type ControlMessage as MessageOfTable } from "../codec/control-codec.js";
import * as blobs from "./blob-messages.js";
import * as catchUp from "./catch-up-messages.js";
import * as checkpoints from "./checkpoint-messages.js";
import * as generations from "./generation-messages.js";
import * as joins from "./join-messages.js";
import * as lifecycle from "./lifecycle-messages.js";
import * as steps from "./step-messages.js";

/** Every control message, in the order of the tags. */
export const controlMessages = [
  joins.hello,
  joins.welcome,
  joins.refused,
  joins.notice,
  joins.ready,
  joins.welcomeBack,
  blobs.blobGet,
  blobs.blobChunk,
  blobs.blobPut,
  blobs.blobAck,
  blobs.blobError,
  generations.startGeneration,
  generations.linkReport,
  generations.routes,
  steps.assign,
  steps.stepReport,
  steps.commit,
  steps.applied,
  steps.evaluated,
  steps.abortStep,
  steps.evaluate,
  steps.progress,
  steps.stepFailed,
  checkpoints.checkpointRequest,
  checkpoints.checkpointDone,
  checkpoints.checkpointFailed,
  catchUp.restore,
  catchUp.applyGradient,
  catchUp.applyKept,
  catchUp.gradientStored,
  catchUp.level,
  lifecycle.heartbeat,
  lifecycle.pong,
  lifecycle.workerError,
  lifecycle.stop,
  lifecycle.goodbye,
] as const;

/** Encodes and decodes the control messages of this version. */
export const controlCodec = createControlCodec(controlMessages);

type Row = (typeof controlMessages)[number];

/** Any control message, `{ name, body }`; `name` discriminates. */
export type AnyControlMessage = MessageOfTable<typeof controlMessages>;
export type ControlMessageName = Row["name"];
/** The body of one message, e.g. `MessageBody<"commit">`. */
export type MessageBody<Name extends ControlMessageName> = Extract<AnyControlMessage, { readonly name: Name }>["body"];

/** Messages that a worker may send. */
export type WorkerMessageName = Extract<Row, { readonly direction: "workerToCoordinator" }>["name"];
export type WorkerMessage = Extract<AnyControlMessage, { readonly name: WorkerMessageName }>;
/** Messages that the coordinator may send. */
export type CoordinatorMessageName = Extract<Row, { readonly direction: "coordinatorToWorker" }>["name"];
export type CoordinatorMessage = Extract<AnyControlMessage, { readonly name: CoordinatorMessageName }>;
