import type { Matrix, MatrixInput } from "../table/matrix.js";
import { momentsOf } from "../table/quantile.js";
import { columnValues, fitMatrix, fitted, mapColumns, sameWidth } from "./fitted.js";

export interface StandardScalerOptions {
  /** Default true: the mean is taken off. */
  readonly withMean?: boolean;
  /** Default true: divided by the standard deviation. */
  readonly withStd?: boolean;
}

interface State {
  readonly mean: readonly number[];
  readonly variance: readonly number[];
  readonly scale: readonly number[];
}

/** Saved form: what JSON.stringify(scaler) writes. */
export interface StandardScalerJson {
  readonly kind: "StandardScaler";
  readonly withMean: boolean;
  readonly withStd: boolean;
  readonly state: State | null;
}

const epsilon = 2.220446049250313e-16;

/**
 * Takes off the mean and divides by the standard deviation, column by column: z = (x - mean) / std, std divided by n. Missing values stay
 * missing and are not counted. A constant column is shifted only.
 *
 * @numerics f64, two passes over the rows in order: the same bits on every machine.
 * @throws {ValueError} E_FIT for no rows, a column without values or an infinite value; E_COLUMNS for another number of columns than in fit.
 *   {StateError} E_NOT_FITTED before fit.
 * @source sklearn.preprocessing.StandardScaler
 * @example
 * new StandardScaler().fit([[1], [3]]).transform([[5]]).values; // => [3]
 */
export class StandardScaler {
  readonly withMean: boolean;
  readonly withStd: boolean;
  #state: State | undefined;

  constructor({ withMean = true, withStd = true }: StandardScalerOptions = {}) {
    this.withMean = withMean;
    this.withStd = withStd;
  }

  get mean(): readonly number[] {
    return fitted("StandardScaler", this.#state).mean;
  }

  get variance(): readonly number[] {
    return fitted("StandardScaler", this.#state).variance;
  }

  /** Standard deviations; 1 for constant columns. */
  get scale(): readonly number[] {
    return fitted("StandardScaler", this.#state).scale;
  }

  fit(input: MatrixInput): this {
    const matrix = fitMatrix("StandardScaler", input);
    const moments = Array.from({ length: matrix.numColumns }, (_, c) => momentsOf(columnValues(matrix, c)));
    this.#state = {
      mean: moments.map(({ mean }) => mean),
      variance: moments.map(({ variance }) => variance),
      scale: moments.map(({ mean, variance, count }) => {
        // What rounding of the mean alone can make of a constant column.
        const bound = count * epsilon * variance + count * mean * epsilon * (count * mean * epsilon);
        return variance <= bound ? 1 : Math.sqrt(variance);
      }),
    };
    return this;
  }

  transform(input: MatrixInput): Matrix {
    const { mean, scale } = fitted("StandardScaler", this.#state);
    const matrix = sameWidth("StandardScaler.transform", input, mean.length);
    return mapColumns(matrix, (x, c) => (this.withMean ? x - mean[c]! : x) / (this.withStd ? scale[c]! : 1));
  }

  fitTransform(input: MatrixInput): Matrix {
    return this.fit(input).transform(input);
  }

  inverseTransform(input: MatrixInput): Matrix {
    const { mean, scale } = fitted("StandardScaler", this.#state);
    const matrix = sameWidth("StandardScaler.inverseTransform", input, mean.length);
    return mapColumns(matrix, (z, c) => z * (this.withStd ? scale[c]! : 1) + (this.withMean ? mean[c]! : 0));
  }

  toJSON(): StandardScalerJson {
    return { kind: "StandardScaler", withMean: this.withMean, withStd: this.withStd, state: this.#state ?? null };
  }

  static fromJSON({ withMean, withStd, state }: StandardScalerJson): StandardScaler {
    const scaler = new StandardScaler({ withMean, withStd });
    scaler.#state = state ?? undefined;
    return scaler;
  }
}
