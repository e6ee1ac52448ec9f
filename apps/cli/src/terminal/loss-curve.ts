/** @file A loss curve in plain characters. */

export interface CurvePoint {
  readonly step: number;
  readonly loss: number;
}

export interface CurveOptions {
  readonly width?: number;
  readonly height?: number;
}

/**
 * Train loss as `*` (mean of the steps that share a column), evaluation loss as `o`, on a linear scale.
 * Empty when there are fewer than two points.
 */
export function drawLossCurve(
  train: readonly CurvePoint[],
  evaluations: readonly CurvePoint[],
  options: CurveOptions = {},
): string {
  const { width = 60, height = 12 } = options;
  if (train.length < 2) return "";
  const firstStep = train[0]!.step;
  const lastStep = Math.max(train.at(-1)!.step, firstStep + 1);
  const columnOf = (step: number) =>
    Math.min(width - 1, Math.floor(((step - firstStep) / (lastStep - firstStep)) * (width - 1) + 0.5));

  const means = columnMeans(train, columnOf, width);
  const marks = evaluations.filter(({ step }) => step >= firstStep);
  const losses = [...means.filter((mean) => mean !== undefined), ...marks.map(({ loss }) => loss)];
  const high = Math.max(...losses);
  const low = Math.min(...losses);
  const rowOf = (loss: number) =>
    high === low ? height - 1 : Math.round(((high - loss) / (high - low)) * (height - 1));

  const grid = Array.from({ length: height }, () => new Array<string>(width).fill(" "));
  for (const [column, mean] of means.entries()) if (mean !== undefined) grid[rowOf(mean)]![column] = "*";
  for (const { step, loss } of marks) grid[rowOf(loss)]![columnOf(step)] = "o";

  const label = (row: number) => (high - ((high - low) * row) / (height - 1)).toFixed(3).padStart(8);
  const lines = grid.map((cells, row) => {
    const isLabelled = row === 0 || row === height - 1 || row === Math.floor(height / 2);
    return `${isLabelled ? label(row) : " ".repeat(8)} |${cells.join("").trimEnd()}`;
  });
  const legend = marks.length > 0 ? "* train  o held out" : "* train";
  const axis = `step ${firstStep}`;
  lines.push(`${" ".repeat(9)}+${"-".repeat(width)}`);
  lines.push(
    `${" ".repeat(10)}${axis}${legend.padStart(Math.floor((width - axis.length) / 2))}${String(lastStep).padStart(width - axis.length - Math.floor((width - axis.length) / 2))}`,
  );
  return lines.join("\n");
}

function columnMeans(
  points: readonly CurvePoint[],
  columnOf: (step: number) => number,
  width: number,
): (number | undefined)[] {
  const sums = new Array<number>(width).fill(0);
  const counts = new Array<number>(width).fill(0);
  for (const { step, loss } of points) {
    const column = columnOf(step);
    sums[column] = sums[column]! + loss;
    counts[column] = counts[column]! + 1;
  }
  return sums.map((sum, column) => (counts[column] === 0 ? undefined : sum / counts[column]!));
}
