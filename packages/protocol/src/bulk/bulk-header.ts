/**
 * @file The fixed header of bulk frames: numbers that workers send each other, with a raw little-endian payload.
 *
 * Not here: control messages (codec/control-codec.ts). Little-endian, every field at a multiple of its width, the
 * payload at byte 88 so that it can be viewed as Float32Array or Float64Array where the frame begins aligned.
 *
 *    0 u32 magic 0x4246534c "LSFB" (as bytes 4c 53 46 42)      44 u32 nodeHi
 *    4 u8 version   5 u8 kind   6 u8 stream   7 u8 zero        48 f64 weight
 *    8 u32 generation                                          56 u64 elementOffset
 *   12 u32 attempt                                             64 u32 elementCount
 *   16 u64 step                                                68 u32 senderRank
 *   24 u32 bucket                                              72 u128 payloadHash
 *   28 u32 shard
 *   32 u32 block
 *   36 u32 ownerRank
 *   40 u32 nodeLo
 *
 * u64 fields hold safe integers. `step` is a collective's sequence number in stream "collective".
 */
import { ProtocolError } from "../errors.js";
import { type ProtocolLimits, protocolLimits } from "../limits.js";
import { PROTOCOL_VERSION } from "../version.js";

export const BULK_HEADER_BYTES = 88;
const MAGIC = 0x4246534c;
const TWO_32 = 4_294_967_296;
const MAX_HIGH_WORD = 0x1fffff;

/** Wire tags of bulk frames. Never reused; a change needs a new PROTOCOL_VERSION. */
export const bulkKinds = Object.freeze({
  nodeShard: 1,
  reducedShard: 2,
  gatheredShard: 3,
  broadcastChunk: 4,
  barrier: 5,
  integers: 6,
  ping: 7,
  pong: 8,
});

/** Which sequence of a group a frame belongs to. */
export const bulkStreams = Object.freeze({ link: 0, gradient: 1, collective: 2 });

export type BulkKind = keyof typeof bulkKinds;
export type BulkStream = keyof typeof bulkStreams;

/** 128 bits as four u32. */
export type HashWords = readonly [number, number, number, number];

export interface BulkHeader {
  readonly kind: BulkKind;
  readonly stream: BulkStream;
  readonly generation: number;
  readonly attempt: number;
  /** Safe integer. */
  readonly step: number;
  readonly bucket: number;
  readonly shard: number;
  /** Number of the block in the exchange's plan. */
  readonly block: number;
  /** Rank that reduces, or reduced, these elements. */
  readonly ownerRank: number;
  /** Micro-batches [nodeLo, nodeHi) whose sum the payload is. */
  readonly nodeLo: number;
  readonly nodeHi: number;
  /** Of the node, or of the whole step in a reducedShard. */
  readonly weight: number;
  /** First element in the flat vector. Safe integer. */
  readonly elementOffset: number;
  /** Payload length in units of 4 bytes. */
  readonly elementCount: number;
  readonly senderRank: number;
  readonly payloadHash: HashWords;
}

const kindOfTag = new Map<number, BulkKind>(Object.entries(bulkKinds).map(([kind, tag]) => [tag, kind as BulkKind]));
const streamOfTag = new Map<number, BulkStream>(
  Object.entries(bulkStreams).map(([stream, tag]) => [tag, stream as BulkStream]),
);

/** Fields that a frame does not use are zero. */
export const emptyBulkHeader: Omit<BulkHeader, "kind" | "stream"> = Object.freeze({
  generation: 0,
  attempt: 0,
  step: 0,
  bucket: 0,
  shard: 0,
  block: 0,
  ownerRank: 0,
  nodeLo: 0,
  nodeHi: 0,
  weight: 0,
  elementOffset: 0,
  elementCount: 0,
  senderRank: 0,
  payloadHash: [0, 0, 0, 0] as HashWords,
});

/** @throws {ProtocolError} E_FRAME_FIELD for a number that its field cannot hold. */
export function encodeBulkHeader(header: BulkHeader): Uint8Array {
  const bytes = new Uint8Array(BULK_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  const u32 = (offset: number, field: keyof BulkHeader): void => {
    const value = header[field] as number;
    if (!(Number.isInteger(value) && value >= 0 && value < TWO_32)) refuseField(field, value, "0..2^32-1");
    view.setUint32(offset, value, true);
  };
  const u64 = (offset: number, field: keyof BulkHeader): void => {
    const value = header[field] as number;
    if (!(Number.isSafeInteger(value) && value >= 0)) refuseField(field, value, "0..2^53-1");
    view.setUint32(offset, value % TWO_32, true);
    view.setUint32(offset + 4, Math.floor(value / TWO_32), true);
  };
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, PROTOCOL_VERSION);
  view.setUint8(5, bulkKinds[header.kind]);
  view.setUint8(6, bulkStreams[header.stream]);
  u32(8, "generation");
  u32(12, "attempt");
  u64(16, "step");
  u32(24, "bucket");
  u32(28, "shard");
  u32(32, "block");
  u32(36, "ownerRank");
  u32(40, "nodeLo");
  u32(44, "nodeHi");
  if (!Number.isFinite(header.weight)) refuseField("weight", header.weight, "finite");
  view.setFloat64(48, header.weight, true);
  u64(56, "elementOffset");
  u32(64, "elementCount");
  u32(68, "senderRank");
  for (let i = 0; i < 4; i++) view.setUint32(72 + 4 * i, header.payloadHash[i]!, true);
  return bytes;
}

/**
 * Reads the header of a frame of `frameBytes` bytes, of which `bytes` holds at least the first 88.
 *
 * @throws {ProtocolError} and nothing else, whatever the bytes.
 */
export function decodeBulkHeader(
  bytes: Uint8Array,
  frameBytes: number = bytes.byteLength,
  limits: ProtocolLimits = protocolLimits,
): BulkHeader {
  assertFrameLength(bytes.byteLength, frameBytes, limits);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { kind, stream } = readPrefix(view);
  const header: BulkHeader = {
    kind,
    stream,
    generation: view.getUint32(8, true),
    attempt: view.getUint32(12, true),
    step: readU64(view, 16, "step"),
    bucket: view.getUint32(24, true),
    shard: view.getUint32(28, true),
    block: view.getUint32(32, true),
    ownerRank: view.getUint32(36, true),
    nodeLo: view.getUint32(40, true),
    nodeHi: view.getUint32(44, true),
    weight: view.getFloat64(48, true),
    elementOffset: readU64(view, 56, "elementOffset"),
    elementCount: view.getUint32(64, true),
    senderRank: view.getUint32(68, true),
    payloadHash: [
      view.getUint32(72, true),
      view.getUint32(76, true),
      view.getUint32(80, true),
      view.getUint32(84, true),
    ],
  };
  if (BULK_HEADER_BYTES + 4 * header.elementCount !== frameBytes) {
    throw new ProtocolError(
      "E_FRAME_LENGTH",
      `protocol: a ${kind} frame has ${frameBytes} bytes and announces ${header.elementCount} elements; ` +
        `it must have ${BULK_HEADER_BYTES + 4 * header.elementCount} bytes.`,
      { kind, frameBytes, elementCount: header.elementCount },
    );
  }
  assertFields(header, limits);
  return header;
}

/** Bytes of the whole frame as its header announces them, before the header is checked. `bytes` must hold 88. */
export function bulkFrameBytes(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return BULK_HEADER_BYTES + 4 * view.getUint32(64, true);
}

function assertFrameLength(headerBytes: number, frameBytes: number, limits: ProtocolLimits): void {
  if (frameBytes > limits.maxFrameBytes) {
    throw new ProtocolError(
      "E_FRAME_TOO_LARGE",
      `protocol: a bulk frame has ${frameBytes} bytes; the limit is ${limits.maxFrameBytes} (maxFrameBytes). ` +
        "Lower bucketBytes on the sender or raise maxFrameBytes on the receiver.",
      { frameBytes, maxFrameBytes: limits.maxFrameBytes },
    );
  }
  if (headerBytes < BULK_HEADER_BYTES) {
    throw new ProtocolError(
      "E_FRAME_LENGTH",
      `protocol: a bulk frame begins with ${headerBytes} bytes; its header alone must have ${BULK_HEADER_BYTES}.`,
      { headerBytes },
    );
  }
}

function readPrefix(view: DataView): { kind: BulkKind; stream: BulkStream } {
  const magic = view.getUint32(0, true);
  if (magic !== MAGIC) {
    throw new ProtocolError(
      "E_FRAME_MAGIC",
      `protocol: a bulk frame begins with 0x${magic.toString(16)}; it must be 0x${MAGIC.toString(16)}.`,
      { magic },
    );
  }
  const version = view.getUint8(4);
  if (version !== PROTOCOL_VERSION) {
    throw new ProtocolError(
      "E_PROTOCOL_VERSION",
      `protocol: a bulk frame is of version ${version}, this side speaks ${PROTOCOL_VERSION}; both must be the same. ` +
        "Install the same version of lockstep on both machines.",
      { peerVersion: version, ownVersion: PROTOCOL_VERSION },
    );
  }
  const kind = kindOfTag.get(view.getUint8(5));
  const stream = streamOfTag.get(view.getUint8(6));
  if (kind === undefined) return refuseField("kind", view.getUint8(5), "a tag of the table");
  if (stream === undefined) return refuseField("stream", view.getUint8(6), "a tag of the table");
  if (view.getUint8(7) !== 0) return refuseField("reserved", view.getUint8(7), "0");
  return { kind, stream };
}

function assertFields(header: BulkHeader, limits: ProtocolLimits): void {
  if (!(Number.isFinite(header.weight) && header.weight >= 0))
    refuseField("weight", header.weight, "finite and not negative");
  if (header.senderRank >= limits.maxWorldSize)
    refuseField("senderRank", header.senderRank, `below ${limits.maxWorldSize}`);
  if (header.ownerRank >= limits.maxWorldSize)
    refuseField("ownerRank", header.ownerRank, `below ${limits.maxWorldSize}`);
  if (header.nodeHi > limits.maxMicroBatches) refuseField("nodeHi", header.nodeHi, `at most ${limits.maxMicroBatches}`);
  const hasNode = header.kind === "nodeShard";
  if (hasNode !== header.nodeLo < header.nodeHi) {
    refuseField(
      "nodeHi",
      header.nodeHi,
      hasNode ? `above nodeLo ${header.nodeLo}` : `not above nodeLo ${header.nodeLo}`,
    );
  }
}

function readU64(view: DataView, offset: number, field: string): number {
  const high = view.getUint32(offset + 4, true);
  if (high > MAX_HIGH_WORD) refuseField(field, `0x${high.toString(16)} in its high word`, "a safe integer");
  return high * TWO_32 + view.getUint32(offset, true);
}

function refuseField(field: string, value: unknown, must: string): never {
  throw new ProtocolError(
    "E_FRAME_FIELD",
    `protocol: ${field} of a bulk frame is ${String(value)}; it must be ${must}.`,
    {
      field,
      value,
    },
  );
}
