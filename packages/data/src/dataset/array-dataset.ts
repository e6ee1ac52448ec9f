import { type DTypeArray, type Tensor, ValueError } from "@lockstep/core";
import type { SampleRef } from "../sampler/sample-ref.js";
import { assertSamples, type Dataset } from "./dataset.js";
import { arrayLike, tensorOf } from "./tensor-of.js";

/** One number array that holds a sample after the other. */
export interface Column {
  /** f32 for a Float32Array, i32 for an Int32Array, u8 for a Uint8Array. Not copied: it must not change. */
  readonly data: DTypeArray;
  /** Shape of one sample; [] for a number. */
  readonly shape: readonly number[];
}

/**
 * Samples that lie in arrays in memory, as columns of equal length; a batch is a record of tensors [B, ...shape].
 *
 * @throws {ValueError} E_VALUE without columns, or when a column's length is no multiple of its sample's; E_DATASET_EMPTY without
 *   samples; E_COLUMNS when columns hold different numbers of samples; E_MISSING with column and row for a number that is not finite.
 * @example
 * arrayDataset({ x: { data: new Float32Array(8), shape: [2] }, y: { data: new Int32Array(4), shape: [] } }).size; // => 4
 */
export function arrayDataset<Name extends string>(
  columns: Readonly<Record<Name, Column>>,
): Dataset<Record<Name, Tensor>> {
  const entries = Object.entries(columns) as [Name, Column][];
  const size = commonSize(entries);
  for (const entry of entries) assertFinite(entry);
  return {
    size,
    batch(samples: readonly SampleRef[]) {
      assertSamples("arrayDataset.batch", samples, size);
      const batch = {} as Record<Name, Tensor>;
      for (const [name, { data, shape }] of entries) {
        const length = lengthOf(shape);
        const out = arrayLike(data, samples.length * length);
        for (const [row, { index }] of samples.entries()) {
          out.set(data.subarray(index * length, (index + 1) * length), row * length);
        }
        batch[name] = tensorOf(out, [samples.length, ...shape]);
      }
      return batch;
    },
  };
}

function assertFinite([name, { data, shape }]: readonly [string, Column]): void {
  if (!(data instanceof Float32Array)) return;
  const place = data.findIndex((value) => !Number.isFinite(value));
  if (place < 0) return;
  const row = Math.floor(place / lengthOf(shape));
  throw new ValueError(
    `arrayDataset: column ${name}, row ${row} holds ${data[place]}; every number must be finite. Drop or impute missing values first (dropMissing, SimpleImputer).`,
    { column: name, row, value: String(data[place]) },
    "E_MISSING",
  );
}

function lengthOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

function commonSize(entries: readonly (readonly [string, Column])[]): number {
  const sizes = entries.map(([name, { data, shape }]) => {
    const size = data.length / lengthOf(shape);
    if (!Number.isInteger(size)) {
      throw new ValueError(
        `arrayDataset: column ${name} has ${data.length} numbers and samples of shape [${shape.join(",")}]; the first must be a multiple of ${lengthOf(shape)}.`,
        { column: name, length: data.length, shape },
      );
    }
    return { name, size };
  });
  const first = sizes[0];
  if (first === undefined) throw new ValueError("arrayDataset: columns is empty; there must be at least one column.");
  for (const { name, size } of sizes) {
    if (size !== first.size) {
      throw new ValueError(
        `arrayDataset: column ${name} has ${size} samples, but ${first.name} has ${first.size}; they must be equal.`,
        { column: name, size, expected: first.size },
        "E_COLUMNS",
      );
    }
  }
  if (first.size === 0) {
    throw new ValueError(
      "arrayDataset: there are 0 samples; there must be at least one.",
      { size: 0 },
      "E_DATASET_EMPTY",
    );
  }
  return first.size;
}
