/** @file Curves of many steps, thinned so that a page stays small. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** At most `limit` points: means of equal runs of neighbours, with the last point kept. All of them when there are no more than that. */
export function thinPoints(points: readonly Point[], limit: number): Point[] {
  if (points.length <= limit) return [...points];
  const perMean = Math.ceil((points.length - 1) / (limit - 1));
  const means: Point[] = [];
  for (let start = 0; start < points.length - 1; start += perMean) {
    const part = points.slice(start, Math.min(start + perMean, points.length - 1));
    means.push({ x: meanOf(part.map(({ x }) => x)), y: meanOf(part.map(({ y }) => y)) });
  }
  return [...means, points.at(-1)!];
}

/** An exponential average that begins at the first value; a window of about `span` points. */
export function smoothPoints(points: readonly Point[], span: number): Point[] {
  const share = 2 / (span + 1);
  let average = points[0]?.y ?? 0;
  let weight = 0;
  return points.map(({ x, y }) => {
    weight += (1 - weight) * share;
    average += (y - average) * (share / weight);
    return { x, y: average };
  });
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
