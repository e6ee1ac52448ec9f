import type { Matrix } from "@lockstep/data";

/**
 * A number as how far it has come through each piece of its range: 1 for pieces below it, 0 for those above, a share for its own. Pieces end at
 * quantiles of the training part, so that each holds as many of its values; equal quantiles make one piece.
 *
 *   x[i] = clip((value - edge[i]) / (edge[i + 1] - edge[i]), 0, 1)
 *
 * @source Gorishniy, Rubachev, Babenko 2022, "On Embeddings for Numerical Features in Tabular Deep Learning", section 3.2. Deviation: the first and
 *   the last piece are clipped, too.
 */
export class PiecewiseLinear {
  readonly #edges: readonly number[];

  /** @param values of the training part; missing ones are not counted */
  constructor(values: Float64Array, numPieces: number) {
    const sorted = values.filter((value) => !Number.isNaN(value)).sort();
    const places = Array.from({ length: numPieces + 1 }, (_, i) => Math.floor((i * (sorted.length - 1)) / numPieces));
    this.#edges = [...new Set(places.map((place) => sorted[place]!))];
  }

  get numPieces(): number {
    return this.#edges.length - 1;
  }

  transform(values: Float64Array): Matrix {
    const { numPieces } = this;
    const shares = new Float64Array(values.length * numPieces);
    for (const [row, value] of values.entries()) {
      for (let i = 0; i < numPieces; i++) {
        const [from, to] = [this.#edges[i]!, this.#edges[i + 1]!];
        shares[row * numPieces + i] = Math.max(0, Math.min(1, (value - from) / (to - from)));
      }
    }
    return { numRows: values.length, numColumns: numPieces, values: shares };
  }
}
