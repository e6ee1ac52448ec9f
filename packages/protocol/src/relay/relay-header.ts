/**
 * @file The 8 bytes before a frame that goes through the coordinator because two workers cannot dial each other.
 *
 *   0 u32 generation · 4 u16 sourceRank · 6 u16 destinationRank · 8.. the bulk frame, unread by the coordinator
 *
 * Ranks mean nothing without their generation: the coordinator drops and counts frames of a generation that is over.
 * It overwrites nothing; it checks that `sourceRank` is the rank of the worker whose channel the bytes came from.
 */
import { ProtocolError } from "../errors.js";

export const RELAY_HEADER_BYTES = 8;

export interface RelayHeader {
  readonly generation: number;
  readonly sourceRank: number;
  readonly destinationRank: number;
}

/** @throws {ProtocolError} E_FRAME_FIELD for a number that its field cannot hold. */
export function encodeRelayHeader(header: RelayHeader): Uint8Array {
  const bytes = new Uint8Array(RELAY_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  assertRange("generation", header.generation, 0xffffffff);
  assertRange("sourceRank", header.sourceRank, 0xffff);
  assertRange("destinationRank", header.destinationRank, 0xffff);
  view.setUint32(0, header.generation, true);
  view.setUint16(4, header.sourceRank, true);
  view.setUint16(6, header.destinationRank, true);
  return bytes;
}

/** @throws {ProtocolError} E_FRAME_LENGTH for fewer than 8 bytes, and nothing else. */
export function decodeRelayHeader(bytes: Uint8Array): RelayHeader {
  if (bytes.byteLength < RELAY_HEADER_BYTES) {
    throw new ProtocolError(
      "E_FRAME_LENGTH",
      `protocol: a relayed frame has ${bytes.byteLength} bytes; its relay header alone must have ${RELAY_HEADER_BYTES}.`,
      { byteLength: bytes.byteLength },
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    generation: view.getUint32(0, true),
    sourceRank: view.getUint16(4, true),
    destinationRank: view.getUint16(6, true),
  };
}

function assertRange(field: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= max) return;
  throw new ProtocolError("E_FRAME_FIELD", `protocol: ${field} of a relayed frame is ${value}; it must be 0..${max}.`, {
    field,
    value,
  });
}
