/** @file Average and maximum pooling over one or two spatial dims. Legend: B batch, C channels. */
import type { PlaneWindows } from "../backend/kernel-table.js";
import { DTypeError, ShapeError } from "../errors.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural, type StructuralOp } from "./apply.js";
import { type SpatialSize, spatialSizes } from "./conv.js";
import { checkWindow } from "./convolution-geometry.js";
import { scatterAddOp } from "./gather.js";
import { adaptiveWindows, type PoolWindow, poolWindows } from "./pool-windows.js";
import { resample, resampleTable } from "./resample.js";
import { reshape } from "./reshape.js";
import { f32Values, normal } from "./samples.js";

export interface PoolOptions {
  /** Default: kernelSize. */
  readonly stride?: SpatialSize;
  /** Both sides; at most half of kernelSize. Never the maximum, 0 for averages. Default 0. */
  readonly padding?: SpatialSize;
  /** Also a last window that reaches past the padding. Default false. */
  readonly ceilMode?: boolean;
}

export interface AveragePoolOptions extends PoolOptions {
  /** Whether padding counts in the divisor. Default true. */
  readonly countIncludePad?: boolean;
}

const odd: PlaneWindows = {
  rows: [
    [0, 2],
    [1, 4],
  ],
  columns: [
    [0, 1],
    [0, 3],
    [2, 5],
  ],
};
const pairs = (numRows: number, numColumns: number): PlaneWindows => {
  const ranges = (count: number) => Array.from({ length: count }, (_, i) => [2 * i, 2 * i + 2] as const);
  return { rows: ranges(numRows), columns: ranges(numColumns) };
};
/** Values far apart: finite differences see no kink. */
const samples = [
  { name: "odd windows", inputs: [normal([3, 4, 5], 0, 10)], attrs: odd },
  {
    name: "ties take the first",
    inputs: [f32Values([1, 1, 3, 3, 3, 1, 0, 0, 0, 0, -2, -2], [1, 3, 4])],
    attrs: {
      rows: [[0, 3]] as const,
      columns: [
        [0, 2],
        [1, 4],
      ] as const,
    },
    checkVjp: false as const,
  },
  { name: "many planes", inputs: [normal([400, 4, 5])], attrs: odd, checkVjp: false as const },
  { name: "pairs", inputs: [normal([3, 5, 11], 0, 10)], attrs: pairs(2, 5) },
  { name: "many pairs", inputs: [normal([100, 6, 32])], attrs: pairs(3, 16), checkVjp: false as const },
  { name: "no planes", inputs: [normal([0, 4, 5])], attrs: odd },
];

/** x [N, H, W] -> largest elements and (for the vjp) their places. */
export const maxPoolOp: StructuralOp<PlaneWindows> = defineStructural<PlaneWindows>({
  name: "maxPool",
  numVisible: 1,
  shapeRule: ([x], { rows, columns }) => {
    if (x!.dtype !== "f32")
      throw new DTypeError(`maxPool: x is ${x!.dtype}; it must be f32. Use cast("f32").`, { dtype: x!.dtype });
    const shape = [x!.shape[0]!, rows.length, columns.length];
    return [
      { shape, dtype: "f32" },
      { shape, dtype: "i32" },
    ];
  },
  reference: ([x], { rows, columns }) => {
    const [planes, height, width] = x!.shape as [number, number, number];
    const shape = [planes, rows.length, columns.length];
    const values: number[] = [];
    for (let plane = 0; plane < planes; plane++) {
      for (const [top, bottom] of rows) {
        for (const [left, right] of columns) {
          let best = -Infinity;
          for (let row = top; row < bottom; row++)
            for (let column = left; column < right; column++)
              best = Math.max(best, x!.values[(plane * height + row) * width + column]!);
          values.push(best);
        }
      }
    }
    return [{ shape, values: Float64Array.from(values) }];
  },
  run: (backend, [x], [out, index], windows) => backend.kernels.maxPool(x!, windows, { out: out!, index: index! }),
  vjp: {
    saves: { outputs: [1] },
    pull: ({ outputs: [, index], inputShapes }, dOut) => {
      const [planes, height, width] = inputShapes[0] as [number, number, number];
      const flat = (t: Tensor): Tensor => reshape(t, [planes, t.shape[1]! * t.shape[2]!]);
      const sums = scatterAddOp.apply([flat(index!), flat(dOut)], { axis: 1, size: height * width })[0]!;
      return [reshape(sums, [planes, height, width])];
    },
  },
  samples,
});

/** Windows along each spatial dim of x. */
function windowsOf(
  where: string,
  x: Tensor,
  {
    kernelSize,
    numSpatial,
    options,
  }: { readonly kernelSize: SpatialSize; readonly numSpatial: number; readonly options: PoolOptions },
): PoolWindow[][] {
  checkImages(where, x, numSpatial);
  const sizes = (name: string, size: SpatialSize) => spatialSizes(where, name, { size, numSpatial });
  const kernel = sizes("kernelSize", kernelSize);
  const stride = sizes("stride", options.stride ?? kernelSize);
  const padding = sizes("padding", options.padding ?? 0);
  checkWindow(where, { kernelSize: kernel, stride, padding });
  const ceilMode = options.ceilMode ?? false;
  return kernel.map((length, axis) =>
    poolWindows(where, {
      size: x.shape[axis + 2]!,
      kernel: length,
      stride: stride[axis]!,
      padding: padding[axis]!,
      ceilMode,
    }),
  );
}

function adaptiveWindowsOf(
  where: string,
  x: Tensor,
  { outputSize, numSpatial }: { readonly outputSize: SpatialSize; readonly numSpatial: number },
): PoolWindow[][] {
  checkImages(where, x, numSpatial);
  return spatialSizes(where, "outputSize", { size: outputSize, numSpatial }).map((size, axis) =>
    adaptiveWindows(where, x.shape[axis + 2]!, size),
  );
}

/** @throws {ShapeError} E_SHAPE unless x has a batch dim, a channel dim and `numSpatial` more. @shape none @source none: ours */
export function checkImages(where: string, x: Tensor, numSpatial: number): void {
  if (x.numDims === numSpatial + 2) return;
  throw new ShapeError(
    `${where}: x is ${formatShape(x.shape)}; it must have ${numSpatial + 2} dims, batch, channels and ${numSpatial} spatial ones. Use unsqueeze(0) for a single image.`,
    { x: x.shape },
  );
}

function maxOver(x: Tensor, windows: readonly PoolWindow[][]): Tensor {
  const [width, height] = [x.shape.at(-1)!, windows.length === 2 ? x.shape.at(-2)! : 1];
  const ranges = (list: readonly PoolWindow[]) => list.map(({ from, to }) => [from, to] as const);
  const columns = ranges(windows.at(-1)!);
  const rows = windows.length === 2 ? ranges(windows[0]!) : [[0, 1] as const];
  const planes = reshape(x, [x.shape[0]! * x.shape[1]!, height, width]);
  const out = maxPoolOp.apply([planes], { rows, columns })[0]!;
  return reshape(out, [...x.shape.slice(0, 2), ...windows.map((list) => list.length)]);
}

function meanOver(x: Tensor, windows: readonly PoolWindow[][], countIncludePad: boolean): Tensor {
  const tables = windows.map((list, axis) => {
    const taps = list.map(({ from, to, paddedLength }) => {
      const weight = 1 / (countIncludePad ? paddedLength : to - from);
      return Array.from({ length: to - from }, (_, i) => [from + i, weight] as const);
    });
    return [axis + 2, resampleTable(taps)] as const;
  });
  return resample(x, new Map(tables));
}

/**
 * The largest element of each window; the first of equals gets the gradient.
 * @shape x [B, C, W] -> [B, C, W']; W' = floor((W + 2 padding - kernelSize) / stride) + 1
 * @throws {ShapeError} E_SHAPE, {ValueError} E_VALUE
 * @source torch.nn.functional.max_pool1d. Deviation: no dilation, no indices.
 */
export function maxPool1d(x: Tensor, kernelSize: SpatialSize, options: PoolOptions = {}): Tensor {
  return maxOver(x, windowsOf("maxPool1d", x, { kernelSize, numSpatial: 1, options }));
}

/**
 * As maxPool1d, over two spatial dims.
 * @shape x [B, C, H, W] -> [B, C, H', W']
 * @throws {ShapeError} E_SHAPE, {ValueError} E_VALUE
 * @source torch.nn.functional.max_pool2d. Deviation: no dilation, no indices.
 * @example
 * maxPool2d(tensor([[[[1, 2, 5], [3, 4, 0]]]]), 2).toArraySync(); // => [[[[4]]]]
 */
export function maxPool2d(x: Tensor, kernelSize: SpatialSize, options: PoolOptions = {}): Tensor {
  return maxOver(x, windowsOf("maxPool2d", x, { kernelSize, numSpatial: 2, options }));
}

/** The mean of each window. @shape x [B, C, W] -> [B, C, W'] @throws {ShapeError} E_SHAPE, {ValueError} E_VALUE @source torch.nn.functional.avg_pool1d */
export function avgPool1d(x: Tensor, kernelSize: SpatialSize, options: AveragePoolOptions = {}): Tensor {
  const windows = windowsOf("avgPool1d", x, { kernelSize, numSpatial: 1, options });
  return meanOver(x, windows, options.countIncludePad ?? true);
}

/**
 * As avgPool1d, over two spatial dims.
 * @shape x [B, C, H, W] -> [B, C, H', W']
 * @numerics First along H, then along W.
 * @throws {ShapeError} E_SHAPE, {ValueError} E_VALUE
 * @source torch.nn.functional.avg_pool2d. Deviation: no divisor_override.
 */
export function avgPool2d(x: Tensor, kernelSize: SpatialSize, options: AveragePoolOptions = {}): Tensor {
  const windows = windowsOf("avgPool2d", x, { kernelSize, numSpatial: 2, options });
  return meanOver(x, windows, options.countIncludePad ?? true);
}

/** Means over `outputSize` windows that cover the axis. @shape x [B, C, W] -> [B, C, outputSize] @throws {ShapeError} E_SHAPE, {ValueError} E_VALUE @source torch.nn.functional.adaptive_avg_pool1d */
export function adaptiveAvgPool1d(x: Tensor, outputSize: SpatialSize): Tensor {
  return meanOver(x, adaptiveWindowsOf("adaptiveAvgPool1d", x, { outputSize, numSpatial: 1 }), false);
}

/** As adaptiveAvgPool1d, over two spatial dims. @shape x [B, C, H, W] -> [B, C, ...outputSize] @throws {ShapeError} E_SHAPE, {ValueError} E_VALUE @source torch.nn.functional.adaptive_avg_pool2d */
export function adaptiveAvgPool2d(x: Tensor, outputSize: SpatialSize): Tensor {
  return meanOver(x, adaptiveWindowsOf("adaptiveAvgPool2d", x, { outputSize, numSpatial: 2 }), false);
}

/** Maxima of `outputSize` windows that cover the axis. @shape x [B, C, W] -> [B, C, outputSize] @throws {ShapeError} E_SHAPE, {ValueError} E_VALUE @source torch.nn.functional.adaptive_max_pool1d */
export function adaptiveMaxPool1d(x: Tensor, outputSize: SpatialSize): Tensor {
  return maxOver(x, adaptiveWindowsOf("adaptiveMaxPool1d", x, { outputSize, numSpatial: 1 }));
}

/** As adaptiveMaxPool1d, over two spatial dims. @shape x [B, C, H, W] -> [B, C, ...outputSize] @throws {ShapeError} E_SHAPE, {ValueError} E_VALUE @source torch.nn.functional.adaptive_max_pool2d */
export function adaptiveMaxPool2d(x: Tensor, outputSize: SpatialSize): Tensor {
  return maxOver(x, adaptiveWindowsOf("adaptiveMaxPool2d", x, { outputSize, numSpatial: 2 }));
}
