/** @file Words and their pronunciations as batches, padded to the longest of each. Legend: B batch, S letters, T tokens. */
import { type Tensor, tensor } from "@lockstep/core";
import type { Dataset } from "@lockstep/data";
import { type Entry, endToken, letterTokens, phonemeTokens, startToken } from "./dictionary.js";

export interface WordBatch {
  /** [B, S] i32 */
  readonly source: Tensor;
  /** Letters of each word. */
  readonly lengths: readonly number[];
  /** [B, T] i32: the start token and the phonemes, as the decoder sees them. */
  readonly inputs: Tensor;
  /** [B, T] i32: the phonemes and the end token; -100, which losses leave out, after it. */
  readonly targets: Tensor;
  readonly pronunciations: readonly string[];
}

const ignored = -100;

export function wordDataset(entries: readonly Entry[]): Dataset<WordBatch> {
  const samples = entries.map(({ word, pronunciation }) => ({
    letters: letterTokens(word),
    tokens: phonemeTokens(pronunciation),
    pronunciation,
  }));
  return {
    size: samples.length,
    batch(places) {
      const chosen = places.map(({ index }) => samples[index]!);
      return {
        source: padded(
          chosen.map(({ letters }) => letters),
          0,
        ),
        lengths: chosen.map(({ letters }) => letters.length),
        inputs: padded(
          chosen.map(({ tokens }) => [startToken, ...tokens]),
          endToken,
        ),
        targets: padded(
          chosen.map(({ tokens }) => [...tokens, endToken]),
          ignored,
        ),
        pronunciations: chosen.map(({ pronunciation }) => pronunciation),
      };
    },
  };
}

/** @shape B lists -> [B, longest] i32 */
function padded(rows: readonly (readonly number[])[], fill: number): Tensor {
  const longest = rows.reduce((most, { length }) => Math.max(most, length), 0);
  const values = new Int32Array(rows.length * longest).fill(fill);
  for (const [i, row] of rows.entries()) values.set(row, i * longest);
  return tensor(values, { shape: [rows.length, longest] });
}
