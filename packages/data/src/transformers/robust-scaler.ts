import { ValueError } from "@lockstep/core";
import type { Matrix, MatrixInput } from "../table/matrix.js";
import { quantile, sortedPresent } from "../table/quantile.js";
import { columnValues, fitMatrix, fitted, mapColumns, sameWidth, scaleOrOne } from "./fitted.js";

export interface RobustScalerOptions {
  /** Default true: the median is taken off. */
  readonly withCentering?: boolean;
  /** Default true: divided by the distance of the two quantiles. */
  readonly withScaling?: boolean;
  /** In percent. Default [25, 75]. */
  readonly quantileRange?: readonly [number, number];
}

interface State {
  readonly center: readonly number[];
  readonly scale: readonly number[];
}

/** Saved form: what JSON.stringify(scaler) writes. */
export interface RobustScalerJson {
  readonly kind: "RobustScaler";
  readonly withCentering: boolean;
  readonly withScaling: boolean;
  readonly quantileRange: readonly [number, number];
  readonly state: State | null;
}

/**
 * Takes off the median and divides by the distance of two quantiles, which outliers do not move. Missing values stay missing.
 *
 * @throws {ValueError} E_VALUE unless 0 <= low < high <= 100; E_FIT, E_COLUMNS, {StateError} E_NOT_FITTED as StandardScaler.
 * @source sklearn.preprocessing.RobustScaler, without unit_variance.
 * @example
 * new RobustScaler().fit([[1], [2], [3]]).transform([[4]]).values; // => [2]
 */
export class RobustScaler {
  readonly withCentering: boolean;
  readonly withScaling: boolean;
  readonly quantileRange: readonly [number, number];
  #state: State | undefined;

  constructor({ withCentering = true, withScaling = true, quantileRange = [25, 75] }: RobustScalerOptions = {}) {
    const [low, high] = quantileRange;
    if (!(low >= 0 && low < high && high <= 100)) {
      throw new ValueError(`RobustScaler: quantileRange is [${low}, ${high}]; it must ascend inside 0..100.`, {
        quantileRange,
      });
    }
    this.withCentering = withCentering;
    this.withScaling = withScaling;
    this.quantileRange = quantileRange;
  }

  /** Medians. */
  get center(): readonly number[] {
    return fitted("RobustScaler", this.#state).center;
  }

  /** Distances of the quantiles; 1 where they are equal. */
  get scale(): readonly number[] {
    return fitted("RobustScaler", this.#state).scale;
  }

  fit(input: MatrixInput): this {
    const matrix = fitMatrix("RobustScaler", input);
    const columns = Array.from({ length: matrix.numColumns }, (_, c) => sortedPresent(columnValues(matrix, c)));
    const [low, high] = this.quantileRange;
    this.#state = {
      center: columns.map((sorted) => quantile(sorted, 0.5)),
      scale: columns.map((sorted) => scaleOrOne(quantile(sorted, high / 100) - quantile(sorted, low / 100))),
    };
    return this;
  }

  transform(input: MatrixInput): Matrix {
    const { center, scale } = this;
    const matrix = sameWidth("RobustScaler.transform", input, center.length);
    return mapColumns(matrix, (x, c) => (this.withCentering ? x - center[c]! : x) / (this.withScaling ? scale[c]! : 1));
  }

  fitTransform(input: MatrixInput): Matrix {
    return this.fit(input).transform(input);
  }

  inverseTransform(input: MatrixInput): Matrix {
    const { center, scale } = this;
    const matrix = sameWidth("RobustScaler.inverseTransform", input, center.length);
    return mapColumns(matrix, (z, c) => z * (this.withScaling ? scale[c]! : 1) + (this.withCentering ? center[c]! : 0));
  }

  toJSON(): RobustScalerJson {
    const { withCentering, withScaling, quantileRange } = this;
    return { kind: "RobustScaler", withCentering, withScaling, quantileRange, state: this.#state ?? null };
  }

  static fromJSON({ state, ...options }: RobustScalerJson): RobustScaler {
    const scaler = new RobustScaler(options);
    scaler.#state = state ?? undefined;
    return scaler;
  }
}
