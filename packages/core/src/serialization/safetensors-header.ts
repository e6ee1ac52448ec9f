/**
 * @file The JSON header of a safetensors file, read with distrust: every rule of the format is checked, and only FormatError is thrown.
 *
 * @source github.com/huggingface/safetensors, README "Format" and tensor.rs (v0.4): header of at most 100 MB that begins with "{",
 * data offsets in ascending order without holes or overlaps, metadata of strings only. Duplicate names are refused as well.
 */
import { FormatError } from "../errors.js";
import { findDuplicateKey } from "./duplicate-key.js";

/** Number formats that are read. */
const storedBytes = { F32: 4, I32: 4, BF16: 2, F16: 2, U8: 1, BOOL: 1 } as const;
export type StoredDType = keyof typeof storedBytes;

export interface HeaderEntry {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** Bytes from the start of the data. */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of the data. */
  readonly entries: readonly HeaderEntry[];
  /** Where the data begins in the file. */
  readonly dataStart: number;
}

export interface HeaderLimits {
  /** What the file is called in errors. */
  readonly source: string;
  readonly maxHeaderBytes: number;
}

/** @throws {FormatError} E_FORMAT */
export function decodeHeader(bytes: Uint8Array, limits: HeaderLimits): SafetensorsHeader {
  const { source } = limits;
  const headerBytes = readHeaderLength(bytes, limits);
  const json = parseJson(bytes.subarray(8, 8 + headerBytes), source);
  const dataStart = 8 + headerBytes;
  let metadata: Record<string, string> = {};
  const entries: HeaderEntry[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (name === "__metadata__") metadata = readMetadata(value, source);
    else entries.push(readEntry(name, value, source));
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  assertCover(entries, bytes.length - dataStart, source);
  return { metadata, entries, dataStart };
}

function readHeaderLength(bytes: Uint8Array, { source, maxHeaderBytes }: HeaderLimits): number {
  if (bytes.length < 8) {
    throw new FormatError(
      `${source}: the file has ${bytes.length} bytes; it must have at least 8, the header's length.`,
      {
        fileBytes: bytes.length,
      },
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const headerBytes = view.getUint32(4, true) * 4294967296 + view.getUint32(0, true);
  if (headerBytes > maxHeaderBytes) {
    throw new FormatError(
      `${source}: the header has ${headerBytes} bytes; the limit is ${maxHeaderBytes} (maxHeaderBytes). It is probably not a safetensors file.`,
      { headerBytes, maxHeaderBytes },
    );
  }
  if (headerBytes > bytes.length - 8) {
    throw new FormatError(
      `${source}: the header has ${headerBytes} bytes, but only ${bytes.length - 8} follow its length; the file must hold it whole. It is probably cut off.`,
      { headerBytes, fileBytes: bytes.length },
    );
  }
  if (bytes[8] !== 0x7b || headerBytes < 2) {
    throw new FormatError(`${source}: the header does not begin with "{"; it must be a JSON object.`, { headerBytes });
  }
  return headerBytes;
}

function parseJson(bytes: Uint8Array, source: string): Record<string, unknown> {
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    json = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`${source}: the header is not JSON in UTF-8 (${reason}); it must be.`, { reason });
  }
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) {
    throw new FormatError(`${source}: the header names ${JSON.stringify(duplicate)} twice; names must be unique.`, {
      name: duplicate,
    });
  }
  return json as Record<string, unknown>;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readMetadata(value: unknown, source: string): Record<string, string> {
  if (!isObject(value)) {
    throw new FormatError(`${source}: __metadata__ is ${brief(value)}; it must be an object of strings.`, { value });
  }
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") {
      throw new FormatError(`${source}: __metadata__ ${JSON.stringify(key)} is ${brief(text)}; it must be a string.`, {
        key,
        value: text,
      });
    }
  }
  return value as Record<string, string>;
}

function readEntry(name: string, value: unknown, source: string): HeaderEntry {
  const where = `${source}: tensor ${JSON.stringify(name)}`;
  if (!isObject(value)) {
    throw new FormatError(`${where} is ${brief(value)}; it must be an object with dtype, shape and data_offsets.`, {
      name,
    });
  }
  const unknownField = Object.keys(value).find((key) => !["dtype", "shape", "data_offsets"].includes(key));
  if (unknownField !== undefined) {
    throw new FormatError(
      `${where} has a field ${JSON.stringify(unknownField)}; the fields must be dtype, shape and data_offsets.`,
      { name, field: unknownField },
    );
  }
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(storedBytes, dtype)) {
    throw new FormatError(
      `${where} has dtype ${brief(dtype)}; it must be one of ${Object.keys(storedBytes).join(", ")}.`,
      {
        name,
        dtype,
      },
    );
  }
  const length = lengthOf(shape, where, name);
  if (!isCountList(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw new FormatError(
      `${where} has data_offsets ${brief(offsets)}; they must be two whole numbers [begin, end] with begin <= end.`,
      { name, offsets },
    );
  }
  const [begin, end] = offsets as [number, number];
  const needed = length * storedBytes[dtype as StoredDType];
  if (needed !== end - begin) {
    throw new FormatError(
      `${where} has shape ${brief(shape)} of ${dtype}, which is ${needed} bytes, but data_offsets [${begin},${end}] hold ${end - begin}; they must be equal.`,
      { name, shape, dtype, begin, end },
    );
  }
  return { name, dtype: dtype as StoredDType, shape: shape as number[], begin, end };
}

function lengthOf(shape: unknown, where: string, name: string): number {
  if (!isCountList(shape)) {
    throw new FormatError(`${where} has shape ${brief(shape)}; it must be a list of whole numbers of at least 0.`, {
      name,
      shape,
    });
  }
  const length = shape.includes(0) ? 0 : shape.reduce((product, n) => product * n, 1);
  if (!Number.isSafeInteger(length * 4)) {
    throw new FormatError(`${where} has shape ${brief(shape)}; its bytes must be countable (below 2^53).`, {
      name,
      shape,
    });
  }
  return length;
}

function isCountList(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

/** Entries lie end to end from 0 to the end of the file. */
function assertCover(entries: readonly HeaderEntry[], dataBytes: number, source: string): void {
  let covered = 0;
  for (const { name, begin, end } of entries) {
    const where = `${source}: tensor ${JSON.stringify(name)}`;
    if (end > dataBytes) {
      throw new FormatError(
        `${where} ends at byte ${end} of the data; the file has ${dataBytes}. It is probably cut off.`,
        {
          name,
          end,
          dataBytes,
        },
      );
    }
    if (begin !== covered) {
      const what = begin < covered ? "overlaps the tensor before it" : "leaves a hole before it";
      throw new FormatError(
        `${where} begins at byte ${begin} of the data and ${what}; it must begin at ${covered}, where the one before it ends.`,
        { name, begin, expected: covered },
      );
    }
    covered = end;
  }
  if (covered !== dataBytes) {
    throw new FormatError(
      `${source}: the tensors end at byte ${covered} of the data, but the file has ${dataBytes}; nothing must follow them.`,
      { covered, dataBytes },
    );
  }
}

/** JSON of a value, cut to a length fit for a message. */
function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
