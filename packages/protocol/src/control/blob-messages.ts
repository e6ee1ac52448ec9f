/** @file Blobs by sha256, in chunks. The reader asks for every chunk, the writer waits for acks: nothing queues up. */
import * as z from "zod";
import { defineMessage } from "../codec/control-codec.js";
import * as field from "./control-fields.js";

const chunkEnvelopeBytes = 4_096;

export const blobGet = defineMessage({
  tag: 16,
  name: "blobGet",
  direction: "workerToCoordinator",
  maxBytes: 1_024,
  since: 1,
  doc: "Asks for the bytes of a blob from an offset; answered by blobChunk or blobError.",
  schema: z.strictObject({
    sha256: field.sha256,
    offset: field.count,
    maxBytes: field.positive.max(field.maxBlobChunkBytes),
  }),
});

export const blobChunk = defineMessage({
  tag: 17,
  name: "blobChunk",
  direction: "coordinatorToWorker",
  maxBytes: field.maxBlobChunkBytes + chunkEnvelopeBytes,
  since: 1,
  doc: "Bytes of a blob at an offset, and the length of the whole.",
  schema: z.strictObject({
    sha256: field.sha256,
    offset: field.count,
    byteLength: field.count,
    bytes: z.instanceof(Uint8Array),
  }),
});

export const blobPut = defineMessage({
  tag: 18,
  name: "blobPut",
  direction: "workerToCoordinator",
  maxBytes: field.maxBlobChunkBytes + chunkEnvelopeBytes,
  since: 1,
  doc: "Appends bytes to a blob that the coordinator is to keep; offsets ascend without gaps; the last chunk completes it.",
  schema: z.strictObject({
    sha256: field.sha256,
    offset: field.count,
    byteLength: field.count,
    bytes: z.instanceof(Uint8Array),
  }),
});

export const blobAck = defineMessage({
  tag: 19,
  name: "blobAck",
  direction: "coordinatorToWorker",
  maxBytes: 1_024,
  since: 1,
  doc: "The next offset wanted of a blob that is being put; isComplete once its sha256 was verified.",
  schema: z.strictObject({
    sha256: field.sha256,
    nextOffset: field.count,
    isComplete: z.boolean(),
  }),
});

export const blobError = defineMessage({
  tag: 20,
  name: "blobError",
  direction: "coordinatorToWorker",
  maxBytes: 16_384,
  since: 1,
  doc: "A blob cannot be given or taken: unknown, too large, or its bytes do not have its sha256.",
  schema: z.strictObject({
    sha256: field.sha256,
    code: field.code,
    message: field.reason,
  }),
});
