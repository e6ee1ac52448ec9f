/**
 * @file Parquet files of plain columns as tables, read at once from bytes.
 *
 * hyparquet's public functions answer promises, and a job's `data` is synchronous; so its decoder of a column chunk is called here, chunk
 * by chunk. Its version is pinned.
 */
import { readColumn } from "hyparquet/src/column.js";
import { parquetMetadata, parquetSchema } from "hyparquet/src/metadata.js";
import { getTreePath } from "hyparquet/src/schema.js";
import { createTable, readFrom, type Table } from "../table/table.js";
import { type DecodeOptions, fileError } from "./file-error.js";
import { assertPages } from "./parquet-pages.js";
import { type ParquetColumn, parquetValues } from "./parquet-values.js";

export interface ParquetOptions extends DecodeOptions {
  /** Columns to read, in this order. Default: all. */
  readonly columns?: readonly string[];
}

type Metadata = ReturnType<typeof parquetMetadata>;
type ColumnChunk = Metadata["row_groups"][number]["columns"][number];
type ChunkMetadata = NonNullable<ColumnChunk["meta_data"]>;

/** Dates and times as numbers: milliseconds since the beginning of 1970, UTC. */
const parsers = {
  timestampFromMilliseconds: (value: bigint) => Number(value),
  timestampFromMicroseconds: (value: bigint) => Number(value) / 1000,
  timestampFromNanoseconds: (value: bigint) => Number(value) / 1000000,
  dateFromDays: (days: number) => days * 86400000,
  stringFromBytes: (bytes: Uint8Array) => new TextDecoder().decode(bytes),
  jsonFromBytes: (bytes: Uint8Array) => new TextDecoder().decode(bytes),
  geometryFromBytes: refuseGeometry,
  geographyFromBytes: refuseGeometry,
  uuidFromBytes: (bytes: Uint8Array) => {
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  },
};

function refuseGeometry(): never {
  throw new Error("geometry columns are not read");
}

/**
 * A table from a Parquet file: whole numbers, floats, decimals and booleans as numbers, strings as text, dates and times as milliseconds
 * since 1970 (UTC), null as missing. Pages may be plain or compressed by Snappy.
 *
 * @throws {FormatError} E_FILE_FORMAT with file and column (and row): no Parquet, a file that is cut off, a nested column (list, map, struct), another
 *   compression, a whole number or decimal that f64 cannot hold, a column that is not there.
 * @source github.com/apache/parquet-format 2.10, read by hyparquet.
 */
export function decodeParquet(bytes: Uint8Array, options: ParquetOptions = {}): Table {
  const { file = "" } = options;
  const buffer = bytes.slice().buffer;
  const metadata = readMetadata(buffer, file);
  const tree = parquetSchema(metadata);
  const known = tree.children.map(({ element }) => element.name);
  const entries = (options.columns ?? known).map((name) => {
    const node = tree.children.find(({ element }) => element.name === name);
    const fault = { file, place: `column ${name}`, fields: { column: name } };
    if (node === undefined) {
      throw fileError("decodeParquet", {
        ...fault,
        is: "is not there",
        must: `it must be one of ${known.join(", ")}.`,
      });
    }
    if (node.children.length > 0 || node.element.repetition_type === "REPEATED") {
      throw fileError("decodeParquet", {
        ...fault,
        is: "is nested (a list, map or struct)",
        must: "columns must hold one number or text a row. Leave it out with { columns }.",
      });
    }
    const values = metadata.row_groups.flatMap((group) => {
      const chunk = group.columns.find(({ meta_data }) => meta_data?.path_in_schema?.[0] === name);
      if (chunk?.meta_data === undefined) throw cutOff(file, `has no data of column ${name}`);
      return readChunk({ buffer, metadata, chunk: chunk.meta_data, numRows: Number(group.num_rows), file, name });
    });
    const column: ParquetColumn = { file, name, element: node.element };
    return [name, parquetValues(column, values)] as const;
  });
  const table = createTable(Object.fromEntries(entries));
  const numRows = Number(metadata.num_rows);
  if (entries.length > 0 && table.numRows !== numRows)
    throw cutOff(file, `says ${numRows} rows, but its groups have ${table.numRows}`);
  return readFrom(file, { ...table, numRows });
}

function readMetadata(buffer: ArrayBuffer, file: string): Metadata {
  const view = new DataView(buffer);
  const isMagic = (at: number) => at >= 0 && at + 4 <= buffer.byteLength && view.getUint32(at, true) === 0x31524150;
  if (!isMagic(0)) {
    throw fileError("decodeParquet", { file, place: "byte 0", is: "has no PAR1", must: "it must be a Parquet file." });
  }
  if (buffer.byteLength < 12 || !isMagic(buffer.byteLength - 4)) throw cutOff(file, "has no PAR1 at its end");
  try {
    return parquetMetadata(buffer);
  } catch (cause) {
    throw cutOff(file, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function cutOff(file: string, reason: string, cause?: unknown) {
  return fileError("decodeParquet", {
    file,
    place: "footer",
    is: reason,
    must: "it must describe every column. Is the file cut off?",
    fields: { reason },
    cause,
  });
}

interface ChunkPlace {
  readonly buffer: ArrayBuffer;
  readonly metadata: Metadata;
  readonly chunk: ChunkMetadata;
  readonly numRows: number;
  readonly file: string;
  readonly name: string;
}

function readChunk({ buffer, metadata, chunk, numRows, file, name }: ChunkPlace): unknown[] {
  const schemaPath = getTreePath(parquetSchema(metadata), chunk.path_in_schema);
  const element = schemaPath.at(-1)!.element;
  const begin = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
  const length = Number(chunk.total_compressed_size);
  const fail = (reason: string, cause?: unknown) =>
    fileError("decodeParquet", {
      file,
      place: `column ${name}`,
      is: `cannot be read (${reason})`,
      must: "its pages must be whole, and plain or compressed by Snappy.",
      fields: { column: name, codec: chunk.codec, reason },
      cause,
    });
  if (begin + length > buffer.byteLength) throw fail(`${length} bytes at ${begin} of a file of ${buffer.byteLength}`);
  if (chunk.codec !== "UNCOMPRESSED" && chunk.codec !== "SNAPPY") throw fail(`compressed by ${chunk.codec}`);
  let pages: ReturnType<typeof readColumn>["data"];
  try {
    const bytes = buffer.slice(begin, begin + length);
    const isOptional = element.repetition_type !== "REQUIRED";
    assertPages(new Uint8Array(bytes), {
      codec: chunk.codec,
      isBoolean: element.type === "BOOLEAN",
      isOptional,
      numRows,
    });
    const reader = { view: new DataView(bytes), offset: 0 };
    const rows = { groupStart: 0, groupRows: numRows, selectStart: 0, selectEnd: numRows };
    const scaleless = element.converted_type === "DECIMAL" ? { ...element, scale: 0 } : element; // divided in parquetValues
    pages = readColumn(reader, rows, {
      ...chunk,
      pathInSchema: chunk.path_in_schema,
      element: scaleless,
      schemaPath,
      parsers,
    }).data;
  } catch (cause) {
    throw fail(cause instanceof Error ? cause.message : String(cause), cause);
  }
  const values = pages.flatMap((page) => Array.from(page as ArrayLike<unknown>));
  if (values.length !== numRows) throw fail(`${values.length} values in a group of ${numRows} rows`);
  return values;
}
