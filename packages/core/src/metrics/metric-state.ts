/**
 * @file What a metric has seen, as bytes that travel. Little-endian f64 words:
 *
 *   1, hash of the rule's name
 *   number of counts, then each: key, count
 *   number of parts, then each: index, number of sums, sums, number of rows, then each row: its length, its values
 */
import { FormatError } from "../errors.js";

/** One part of the samples: a micro-batch of an evaluation, or one `update`. */
export interface MetricPart {
  /** Empty until there is something to combine. */
  readonly sums: readonly number[];
  readonly rows: readonly (readonly number[])[];
}

export interface MetricContent {
  /** Exact integers: their order of adding does not matter. */
  readonly counts: ReadonlyMap<number, number>;
  readonly parts: ReadonlyMap<number, MetricPart>;
}

const format = 1;

export function encodeMetricState(name: string, { counts, parts }: MetricContent): Uint8Array {
  const words = [format, nameHash(name), counts.size];
  for (const [key, count] of [...counts].sort((a, b) => a[0] - b[0])) words.push(key, count);
  words.push(parts.size);
  for (const [index, { sums, rows }] of [...parts].sort((a, b) => a[0] - b[0])) {
    words.push(index, sums.length);
    for (const sum of sums) words.push(sum);
    words.push(rows.length);
    for (const row of rows) {
      words.push(row.length);
      for (const value of row) words.push(value);
    }
  }
  const bytes = new Uint8Array(words.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of words.entries()) view.setFloat64(8 * i, word, true);
  return bytes;
}

/** @throws {FormatError} E_METRIC_STATE for bytes that are no state of this metric. */
export function decodeMetricState(name: string, bytes: Uint8Array): MetricContent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const refuse = (what: string): FormatError =>
    new FormatError(
      `metric "${name}": the state ${what}; it must be what state() of a metric with the same options gave. Merge states of one kind.`,
      { name, byteLength: bytes.byteLength },
      "E_METRIC_STATE",
    );
  if (bytes.byteLength % 8 !== 0) throw refuse(`has ${bytes.byteLength} bytes, no multiple of 8`);
  let place = 0;
  const next = (): number => {
    if (8 * place >= bytes.byteLength) throw refuse(`ends after ${bytes.byteLength} bytes`);
    return view.getFloat64(8 * place++, true);
  };
  const nextLength = (): number => {
    const length = next();
    if (Number.isInteger(length) && length >= 0 && 8 * (place + length) <= bytes.byteLength) return length;
    throw refuse(`says ${length} items follow word ${place}`);
  };
  const nextList = (): number[] => Array.from({ length: nextLength() }, next);
  if (next() !== format) throw refuse("is of another format");
  if (next() !== nameHash(name)) throw refuse("is of another metric");
  const counts = new Map(Array.from({ length: nextLength() }, () => [next(), next()] as const));
  const parts = new Map(
    Array.from({ length: nextLength() }, () => {
      const index = next();
      const sums = nextList();
      return [index, { sums, rows: Array.from({ length: nextLength() }, nextList) }] as const;
    }),
  );
  if (8 * place !== bytes.byteLength) throw refuse(`has ${bytes.byteLength - 8 * place} bytes too many`);
  return { counts, parts };
}

/** FNV-1a, 32 bits. */
function nameHash(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
