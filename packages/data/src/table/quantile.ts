/** @file Order statistics and moments of a column, missing values left out. */

/** Values that are there, ascending. */
export function sortedPresent(values: ArrayLike<number>): Float64Array {
  return Float64Array.from(Array.from(values).filter((value) => !Number.isNaN(value))).sort();
}

/**
 * Quantile of sorted numbers by linear interpolation, NaN of none.
 *
 * @param q in [0, 1]
 * @source Hyndman and Fan 1996, definition 7; numpy.quantile's default, with its rounding.
 */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const [low, high] = [sorted[below], sorted[Math.min(below + 1, sorted.length - 1)]];
  if (low === undefined || high === undefined) return Number.NaN;
  const t = place - below;
  return t >= 0.5 ? high - (high - low) * (1 - t) : low + (high - low) * t;
}

export interface Moments {
  readonly count: number;
  readonly mean: number;
  /** Divided by count. */
  readonly variance: number;
}

/** Two passes in f64, in order of rows. */
export function momentsOf(values: ArrayLike<number>): Moments {
  let count = 0;
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i]!)) continue;
    count += 1;
    sum += values[i]!;
  }
  const mean = sum / count;
  let squares = 0;
  let rest = 0; // corrects the rounding of the mean
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i]!)) continue;
    const difference = values[i]! - mean;
    squares += difference * difference;
    rest += difference;
  }
  return { count, mean, variance: (squares - (rest * rest) / count) / count };
}
