import { ValueError } from "@lockstep/core";
import type { Matrix, MatrixInput } from "../table/matrix.js";
import { columnValues, fitMatrix, fitted, mapColumns, sameWidth, scaleOrOne } from "./fitted.js";

export interface MinMaxScalerOptions {
  /** Where the smallest and the largest value of fit go. Default [0, 1]. */
  readonly featureRange?: readonly [number, number];
  /** Default false: values outside of what fit saw leave the range. True cuts them to it. */
  readonly clip?: boolean;
}

interface State {
  readonly dataMin: readonly number[];
  readonly dataMax: readonly number[];
}

/** Saved form: what JSON.stringify(scaler) writes. */
export interface MinMaxScalerJson {
  readonly kind: "MinMaxScaler";
  readonly featureRange: readonly [number, number];
  readonly clip: boolean;
  readonly state: State | null;
}

/**
 * Maps the range of each column onto another: x * scale + min. Missing values stay missing.
 *
 * @throws {ValueError} E_VALUE unless featureRange ascends; E_FIT, E_COLUMNS, {StateError} E_NOT_FITTED as StandardScaler.
 * @source sklearn.preprocessing.MinMaxScaler
 * @example
 * new MinMaxScaler().fit([[2], [6]]).transform([[3]]).values; // => [0.25]
 */
export class MinMaxScaler {
  readonly featureRange: readonly [number, number];
  readonly clip: boolean;
  #state: State | undefined;

  constructor({ featureRange = [0, 1], clip = false }: MinMaxScalerOptions = {}) {
    if (!(featureRange[0] < featureRange[1])) {
      throw new ValueError(
        `MinMaxScaler: featureRange is [${featureRange.join(", ")}]; the first must be below the second.`,
        {
          featureRange,
        },
      );
    }
    this.featureRange = featureRange;
    this.clip = clip;
  }

  get dataMin(): readonly number[] {
    return fitted("MinMaxScaler", this.#state).dataMin;
  }

  get dataMax(): readonly number[] {
    return fitted("MinMaxScaler", this.#state).dataMax;
  }

  /** Factor of each column. */
  get scale(): readonly number[] {
    const { dataMin, dataMax } = fitted("MinMaxScaler", this.#state);
    const [low, high] = this.featureRange;
    return dataMin.map((least, c) => (high - low) / scaleOrOne(dataMax[c]! - least));
  }

  /** Term of each column. */
  get min(): readonly number[] {
    const { dataMin } = fitted("MinMaxScaler", this.#state);
    const { scale } = this;
    return dataMin.map((least, c) => this.featureRange[0] - least * scale[c]!);
  }

  fit(input: MatrixInput): this {
    const matrix = fitMatrix("MinMaxScaler", input);
    const columns = Array.from({ length: matrix.numColumns }, (_, c) =>
      columnValues(matrix, c).filter((value) => !Number.isNaN(value)),
    );
    const extreme = (pick: (a: number, b: number) => number) =>
      columns.map((column) => column.reduce((a, b) => pick(a, b)));
    this.#state = { dataMin: extreme((a, b) => Math.min(a, b)), dataMax: extreme((a, b) => Math.max(a, b)) };
    return this;
  }

  transform(input: MatrixInput): Matrix {
    const { scale, min } = this;
    const [low, high] = this.featureRange;
    const matrix = sameWidth("MinMaxScaler.transform", input, scale.length);
    return mapColumns(matrix, (x, c) => {
      const y = x * scale[c]! + min[c]!;
      return this.clip ? Math.min(Math.max(y, low), high) : y;
    });
  }

  fitTransform(input: MatrixInput): Matrix {
    return this.fit(input).transform(input);
  }

  inverseTransform(input: MatrixInput): Matrix {
    const { scale, min } = this;
    const matrix = sameWidth("MinMaxScaler.inverseTransform", input, scale.length);
    return mapColumns(matrix, (y, c) => (y - min[c]!) / scale[c]!);
  }

  toJSON(): MinMaxScalerJson {
    return { kind: "MinMaxScaler", featureRange: this.featureRange, clip: this.clip, state: this.#state ?? null };
  }

  static fromJSON({ featureRange, clip, state }: MinMaxScalerJson): MinMaxScaler {
    const scaler = new MinMaxScaler({ featureRange, clip });
    scaler.#state = state ?? undefined;
    return scaler;
  }
}
