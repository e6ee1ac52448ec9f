/**
 * @file Reads and writes safetensors files as bytes. Isomorphic: who has a file reads it, who has bytes writes them.
 *
 * Little-endian throughout. The same tensors in the same order with the same metadata give the same bytes.
 * @source github.com/huggingface/safetensors, README "Format".
 */
import { FormatError, ValueError } from "../errors.js";
import type { DType, DTypeArray } from "../tensor/dtype.js";
import { bfloat16ToFloat32, float16ToFloat32 } from "./float16.js";
import type { HostTensor } from "./host-tensor.js";
import { decodeHeader, type HeaderEntry, type StoredDType } from "./safetensors-header.js";

const dtypeOf: Readonly<Record<StoredDType, DType>> = {
  F32: "f32",
  BF16: "f32",
  F16: "f32",
  I32: "i32",
  U8: "u8",
  BOOL: "bool",
};
const storedDtypeOf: Readonly<Record<DType, StoredDType>> = { f32: "F32", i32: "I32", u8: "U8", bool: "BOOL" };

export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>;
  /** By name, in the order of the file's data. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

export interface StoredTensor extends HostTensor {
  /** How the file holds it; F16 and BF16 are widened to f32. */
  readonly storedDtype: StoredDType;
}

export interface DecodeSafetensorsOptions {
  /** What errors call the file. Default "safetensors". */
  readonly source?: string;
  /** Default 100,000,000, as in the reference implementation. */
  readonly maxHeaderBytes?: number;
}

export interface EncodeSafetensorsOptions {
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Reads a whole file. F32, F16 and BF16 become f32; I32, U8 and BOOL stay what they are. The numbers are copies.
 *
 * @throws {FormatError} E_FORMAT, and nothing else, for any bytes that are no well-formed file.
 */
export function decodeSafetensors(bytes: Uint8Array, options: DecodeSafetensorsOptions = {}): SafetensorsFile {
  const { source = "safetensors", maxHeaderBytes = 100_000_000 } = options;
  const header = decodeHeader(bytes, { source, maxHeaderBytes });
  const tensors = new Map<string, StoredTensor>();
  for (const entry of header.entries) {
    const piece = bytes.subarray(header.dataStart + entry.begin, header.dataStart + entry.end);
    const { dtype: storedDtype, shape } = entry;
    const dtype = dtypeOf[storedDtype];
    tensors.set(entry.name, { dtype, storedDtype, shape, data: decodeNumbers(piece, entry, source) });
  }
  return { metadata: header.metadata, tensors };
}

function decodeNumbers(bytes: Uint8Array, { dtype, name }: HeaderEntry, source: string): DTypeArray {
  // A copy is aligned, whatever the header's length. (Not slice(): a Node Buffer's shares memory.)
  const copy = new Uint8Array(bytes);
  if (dtype === "F32") return new Float32Array(copy.buffer);
  if (dtype === "I32") return new Int32Array(copy.buffer);
  if (dtype === "BOOL") assertBooleans(copy, { source, name });
  if (dtype === "U8" || dtype === "BOOL") return copy;
  const widen = dtype === "BF16" ? bfloat16ToFloat32 : float16ToFloat32;
  return Float32Array.from(new Uint16Array(copy.buffer), widen);
}

function assertBooleans(bytes: Uint8Array, { source, name }: { readonly source: string; readonly name: string }): void {
  const index = bytes.findIndex((byte) => byte > 1);
  if (index < 0) return;
  throw new FormatError(
    `${source}: element ${index} of ${JSON.stringify(name)} is the byte ${bytes[index]}; a BOOL must be 0 or 1.`,
    { name, index, byte: bytes[index] },
  );
}

/**
 * Writes a file: tensors in the given order, the header padded with spaces so that the data begins at a multiple of 8.
 *
 * @throws {ValueError} E_VALUE for a name given twice, the name "__metadata__", or data whose length is not that of its shape.
 */
export function encodeSafetensors(
  tensors: Iterable<readonly [string, HostTensor]>,
  options: EncodeSafetensorsOptions = {},
): Uint8Array {
  const { metadata = {} } = options;
  const list = [...tensors];
  const names = new Set<string>();
  const fields: string[] = [];
  if (Object.keys(metadata).length > 0) fields.push(`"__metadata__":${JSON.stringify(metadata)}`);
  let begin = 0;
  for (const [name, tensor] of list) {
    assertWritable(name, tensor, names);
    const end = begin + tensor.data.byteLength;
    const dtype = storedDtypeOf[tensor.dtype];
    const entry = JSON.stringify({ dtype, shape: tensor.shape, data_offsets: [begin, end] });
    fields.push(`${JSON.stringify(name)}:${entry}`);
    begin = end;
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const out = new Uint8Array(8 + headerBytes + begin);
  const view = new DataView(out.buffer);
  view.setUint32(0, headerBytes, true);
  out.set(json, 8);
  out.fill(0x20, 8 + json.length, 8 + headerBytes);
  let position = 8 + headerBytes;
  for (const [, { data }] of list) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return out;
}

function assertWritable(name: string, tensor: HostTensor, names: Set<string>): void {
  if (name === "__metadata__") {
    throw new ValueError(
      `encodeSafetensors: a tensor is named "__metadata__"; the format keeps that name for itself.`,
      {
        name,
      },
    );
  }
  if (names.has(name)) {
    throw new ValueError(`encodeSafetensors: two tensors are named ${JSON.stringify(name)}; names must be unique.`, {
      name,
    });
  }
  names.add(name);
  const length = tensor.shape.reduce((product, n) => product * n, 1);
  if (length !== tensor.data.length) {
    throw new ValueError(
      `encodeSafetensors: tensor ${JSON.stringify(name)} has shape [${tensor.shape.join(",")}], which is ${length} elements, but its data has ${tensor.data.length}; they must be equal.`,
      { name, shape: tensor.shape, length: tensor.data.length },
    );
  }
}
