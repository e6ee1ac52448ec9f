/**
 * @file Looks at the pages of a column chunk before they are read: hyparquet takes the lengths of runs as they are, and a broken one of 2^30
 * would fill the memory.
 *
 * Flat columns only, so levels are of one bit.
 */
import { parquetHeader } from "hyparquet/src/column.js";
import { decompressPage } from "hyparquet/src/datapage.js";

type Header = ReturnType<typeof parquetHeader>;
type Codec = Parameters<typeof decompressPage>[2];

export interface ChunkShape {
  readonly codec: Codec;
  readonly isBoolean: boolean;
  /** Whether values may be null. */
  readonly isOptional: boolean;
  readonly numRows: number;
}

/** @throws {Error} with the reason when a page says more values than its group has rows, or a run is longer than its page. */
export function assertPages(bytes: Uint8Array, shape: ChunkShape): void {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  let numLeft = shape.numRows;
  while (numLeft > 0 && reader.offset < bytes.length - 1) {
    const header = parquetHeader(reader);
    const length = Number(header.compressed_page_size);
    if (!(length >= 0 && length <= bytes.length - reader.offset)) {
      throw new Error(`a page of ${length} bytes, ${bytes.length - reader.offset} are left`);
    }
    const page = bytes.subarray(reader.offset, reader.offset + length);
    reader.offset += length;
    if (header.type === "DICTIONARY_PAGE") continue; // its values are read one after the other
    const numValues = (header.type === "DATA_PAGE" ? header.data_page_header : header.data_page_header_v2)?.num_values;
    if (numValues === undefined || !(numValues >= 0 && numValues <= numLeft)) {
      throw new Error(`a page of ${numValues} values, ${numLeft} are left`);
    }
    numLeft -= numValues;
    if (header.type === "DATA_PAGE") assertFirstKind(page, header, shape);
    else assertSecondKind(page, header, shape);
  }
}

function assertFirstKind(compressed: Uint8Array, header: Header, { codec, isBoolean, isOptional }: ChunkShape): void {
  const { encoding, num_values: numValues } = header.data_page_header!;
  const page = decompressPage(compressed, Number(header.uncompressed_page_size), codec, undefined);
  let at = 0;
  if (isOptional) {
    const length = lengthAt(page, at);
    assertRuns(page.subarray(4, 4 + length), 1, numValues);
    at = 4 + length;
  }
  if (isBoolean && encoding === "RLE") assertRuns(page.subarray(at + 4, at + 4 + lengthAt(page, at)), 1, numValues);
  else if (encoding?.endsWith("_DICTIONARY")) assertRuns(page.subarray(at + 1), page[at] ?? 0, numValues);
}

function assertSecondKind(compressed: Uint8Array, header: Header, { codec, isBoolean, isOptional }: ChunkShape): void {
  const levels = header.data_page_header_v2!;
  const { encoding, num_values: numValues, definition_levels_byte_length: length } = levels;
  const begin = length + levels.repetition_levels_byte_length;
  if (!(length >= 0 && begin >= length && begin <= compressed.length && levels.num_nulls <= numValues)) {
    throw new Error(`levels of ${begin} bytes and ${levels.num_nulls} nulls in a page of ${compressed.length} bytes`);
  }
  if (isOptional) assertRuns(compressed.subarray(0, length), 1, numValues);
  const rest = compressed.subarray(begin);
  const numBytes = Number(header.uncompressed_page_size) - begin;
  const isCompressed = levels.is_compressed !== false && numBytes > 0;
  const page = isCompressed ? decompressPage(rest, numBytes, codec, undefined) : rest;
  if (isBoolean && encoding === "RLE") assertRuns(page.subarray(4, 4 + lengthAt(page, 0)), 1, numValues);
  else if (encoding?.endsWith("_DICTIONARY")) assertRuns(page.subarray(1), page[0] ?? 0, numValues);
}

function lengthAt(page: Uint8Array, at: number): number {
  return new DataView(page.buffer, page.byteOffset, page.byteLength).getUint32(at, true);
}

/**
 * Runs of the hybrid encoding: a repeated value, or groups of eight packed ones. The last group may be filled up.
 *
 * @source github.com/apache/parquet-format, Encodings.md, RLE/bit-packing hybrid
 */
function assertRuns(bytes: Uint8Array, width: number, numValues: number): void {
  if (width > 32) throw new Error(`numbers of ${width} bits`);
  let at = 0;
  let seen = 0;
  while (seen < numValues && at < bytes.length) {
    let header = 0;
    for (let place = 1; ; place *= 128) {
      const byte = bytes[at++];
      if (byte === undefined || place > 268435456) throw new Error("a run whose length never ends");
      header += (byte & 0x7f) * place;
      if (byte < 0x80) break;
    }
    const isPacked = header % 2 === 1;
    const count = isPacked ? 8 * Math.floor(header / 2) : header / 2;
    if (count > numValues - seen + (isPacked ? 7 : 0)) {
      throw new Error(`a run of ${count} values, ${numValues - seen} are left`);
    }
    at += isPacked ? (count * width) / 8 : Math.ceil(width / 8);
    seen += count;
  }
}
