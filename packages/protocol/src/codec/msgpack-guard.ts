/**
 * @file Walks a MessagePack value without building it, so that nothing large is allocated for a small message.
 *
 * Accepted: nil, booleans, numbers, strings, byte strings, arrays, maps. Refused: extension types (which would become
 * dates, expressions, errors or references), nesting or item counts past the limits, lengths that run past the end,
 * bytes after the value.
 */
import { ProtocolError } from "../errors.js";

export interface MsgpackLimits {
  readonly maxDepth: number;
  readonly maxItems: number;
}

/** @throws {ProtocolError} E_MESSAGE_PACK with the byte offset of the first offence. */
export function assertPlainMsgpack(bytes: Uint8Array, limits: MsgpackLimits): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.byteLength;
  // Values still to come at each open level; the outermost level awaits one.
  const pending: number[] = [1];
  let numItems = 0;
  let at = 0;

  const refuse = (what: string): never => {
    throw new ProtocolError("E_MESSAGE_PACK", `protocol: a control message ${what} at byte ${at} of ${end}.`, {
      offset: at,
      byteLength: end,
    });
  };
  const lengthAt = (offset: number, width: number): number => {
    if (offset + width > end) refuse("ends inside a length field; the length must be complete");
    if (width === 1) return view.getUint8(offset);
    return width === 2 ? view.getUint16(offset) : view.getUint32(offset);
  };
  const open = (numChildren: number): void => {
    numItems += numChildren;
    if (numChildren > end)
      refuse(`announces ${numChildren} items, more than its bytes; it must hold what it announces`);
    if (numItems > limits.maxItems) refuse(`has more than ${limits.maxItems} items (maxControlItems)`);
    if (numChildren === 0) return;
    if (pending.length > limits.maxDepth) refuse(`is nested deeper than ${limits.maxDepth} levels (maxControlDepth)`);
    pending.push(numChildren);
  };
  const skip = (numBytes: number): void => {
    if (at + numBytes > end) refuse(`has a value of ${numBytes} bytes that runs past the end`);
    at += numBytes;
  };

  while (pending.length > 0) {
    const level = pending.length - 1;
    if (pending[level] === 0) {
      pending.pop();
      continue;
    }
    pending[level] = pending[level]! - 1;
    if (at >= end) refuse("ends before its last value");
    const lead = view.getUint8(at);
    const children = containerLength(lead, at + 1, lengthAt);
    if (children !== undefined) {
      skip(1 + children.width);
      open(children.numChildren);
      continue;
    }
    const numBytes = scalarLength(lead, at + 1, lengthAt);
    if (numBytes === undefined)
      refuse(`has an extension or reserved type 0x${lead.toString(16)}; only plain values are read`);
    skip(numBytes!);
  }
  if (at !== end) refuse(`has ${end - at} bytes after its value; it must end there,`);
}

type LengthAt = (offset: number, width: number) => number;

function containerLength(lead: number, next: number, lengthAt: LengthAt) {
  if (lead >= 0x80 && lead <= 0x8f) return { numChildren: 2 * (lead & 15), width: 0 };
  if (lead >= 0x90 && lead <= 0x9f) return { numChildren: lead & 15, width: 0 };
  if (lead === 0xdc) return { numChildren: lengthAt(next, 2), width: 2 };
  if (lead === 0xdd) return { numChildren: lengthAt(next, 4), width: 4 };
  if (lead === 0xde) return { numChildren: 2 * lengthAt(next, 2), width: 2 };
  if (lead === 0xdf) return { numChildren: 2 * lengthAt(next, 4), width: 4 };
  return undefined;
}

/** Bytes of a scalar, its lead byte included, or undefined for a type that is refused. */
function scalarLength(lead: number, next: number, lengthAt: LengthAt): number | undefined {
  if (lead <= 0x7f || lead >= 0xe0) return 1;
  if (lead >= 0xa0 && lead <= 0xbf) return 1 + (lead & 31);
  switch (lead) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      return 1;
    case 0xcc: // u8
    case 0xd0: // i8
      return 2;
    case 0xcd: // u16
    case 0xd1: // i16
      return 3;
    case 0xca: // f32
    case 0xce: // u32
    case 0xd2: // i32
      return 5;
    case 0xcb: // f64
    case 0xcf: // u64
    case 0xd3: // i64
      return 9;
    case 0xc4: // bytes, string, u8 length
    case 0xd9:
      return 2 + lengthAt(next, 1);
    case 0xc5:
    case 0xda:
      return 3 + lengthAt(next, 2);
    case 0xc6:
    case 0xdb:
      return 5 + lengthAt(next, 4);
    default:
      return undefined;
  }
}
