/**
 * @file Convolution as matrix products over columns (im2col), and the two products that are its gradients. They are each other's
 * gradients, so that second derivatives come with them, and the one by the input is the transposed convolution.
 *
 *   convolution            y[b, o, p] = sum over k of weight[o, k] * columns(x)[k, p] (+ bias[o])
 *   convolutionTransposed  x = columns^T(weight^T y) (+ bias[c])
 *   convolutionWeight      weight[o, k] = sum over b, p ascending of y[b, o, p] * columns(x)[k, p]
 *
 * Numerics: one f32 accumulator an element over ascending k (b and p), as in matmul; columns of bounded tiles, see
 * convolution-geometry.ts; bias after the sum.
 * Legend: B batch, C input channels, O output channels, G groups, K = C / G * taps, P output positions of an image, n columns of a tile.
 */
import type { Backend, TensorView } from "../backend/backend.js";
import type { ColumnsTile } from "../backend/kernel-table.js";
import { ShapeError } from "../errors.js";
import { formatShape, numElements, type Shape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { defineStructural, type StructuralOp } from "./apply.js";
import { addChannelBias } from "./channel-rows.js";
import type { ReferenceArray, TensorSpec } from "./contract.js";
import {
  axisWindow,
  type ConvolutionAttrs,
  type ConvolutionSizes,
  checkChannels,
  checkConvolution,
  forEachProduct,
  outputSize,
  sizesOf,
  tilesOf,
} from "./convolution-geometry.js";
import { convolutionSamples, transposedSamples, weightSamples } from "./convolution-samples.js";
import { sum } from "./expand-sum.js";
import { referenceFrom } from "./reference-arrays.js";

export interface TransposedAttrs extends ConvolutionAttrs {
  /** Spatial dims of x. */
  readonly inputSize: Shape;
}

export interface WeightAttrs extends ConvolutionAttrs {
  /** Spatial dims of the weight. */
  readonly kernelSize: Shape;
}

function convolutionShape(x: TensorSpec, weight: TensorSpec, attrs: ConvolutionAttrs): Shape {
  const spatial = x.shape.slice(2).map((size, axis) => {
    const kernel = weight.shape[axis + 2]!;
    const found = outputSize(size, kernel, axisWindow(attrs, axis));
    if (found >= 1 && kernel >= 1) return found;
    throw new ShapeError(
      `convolution: x is ${formatShape(x.shape)} and weight ${formatShape(weight.shape)}, so that spatial dim ${axis} of the output would have ${found} places; a kernel must not be larger than the padded image.`,
      { x: x.shape, weight: weight.shape, axis },
    );
  });
  return [x.shape[0]!, weight.shape[0]!, ...spatial];
}

/** Inputs x [B, C, ...], weight [O, C / G, ...] and perhaps bias [O]. */
export const convolutionOp: StructuralOp<ConvolutionAttrs> = defineStructural<ConvolutionAttrs>({
  name: "convolution",
  shapeRule: ([x, weight, bias], attrs) => {
    checkConvolution("convolution", attrs, { x, weight, bias });
    const { groups } = attrs;
    const xChannels = groups * weight!.shape[1]!;
    checkChannels("convolution", { groups, x: x!, xChannels, weight: weight!, bias, biasLength: weight!.shape[0]! });
    return [{ shape: convolutionShape(x!, weight!, attrs), dtype: "f32" }];
  },
  reference: ([x, weight, bias], attrs) => {
    const shape = convolutionShape({ ...x!, dtype: "f32" }, { ...weight!, dtype: "f32" }, attrs);
    const sizes = sizesOf({ x: x!.shape, weight: weight!.shape, output: shape.slice(2) }, attrs);
    const out = biased(shape, bias);
    forEachProduct(sizes, (xAt, weightAt, y) => {
      out.values[y]! += x!.values[xAt]! * weight!.values[weightAt]!;
    });
    return [out];
  },
  run: (backend, [x, weight, bias], [out], attrs) => {
    const sizes = sizesOf({ x: x!.shape, weight: weight!.shape, output: out!.shape.slice(2) }, attrs);
    const matrix = weightView(weight!, sizes);
    forEachTile(backend, sizes, (tile, columns) => {
      backend.kernels.im2col(x!, sizes.window, tile, flatLines(columns));
      const target = new OutputTile(backend, out!, { sizes, tile });
      backend.kernels.matmul(matrix, columns, target.matrix, {});
      target.write();
      target.dispose();
    });
    if (bias !== undefined) addChannelBias(backend, out!, bias);
  },
  vjp: {
    saves: { inputs: [0, 1] },
    pull: ({ inputs: [x, weight], inputShapes, attrs, needs }, dOut) => [
      needs[0] ? transposed([dOut, weight!], { ...attrs, inputSize: inputShapes[0]!.slice(2) }) : undefined,
      needs[1] ? weightProduct([x!, dOut], { ...attrs, kernelSize: inputShapes[1]!.slice(2) }) : undefined,
      ...biasGradient(dOut, needs[2]),
    ],
  },
  reductionLength: ([, weight]) => numElements(weight!.slice(1)),
  samples: convolutionSamples,
});

/** Inputs y [B, O, ...], weight [O, C / G, ...] and perhaps bias [C]. Output x [B, C, ...inputSize]. */
export const convolutionTransposedOp: StructuralOp<TransposedAttrs> = defineStructural<TransposedAttrs>({
  name: "convolutionTransposed",
  shapeRule: ([y, weight, bias], attrs) => {
    checkConvolution("convolutionTransposed", attrs, { x: y, weight, bias });
    const { groups, inputSize } = attrs;
    const channels = groups * weight!.shape[1]!;
    const xChannels = weight!.shape[0]!;
    checkChannels("convolutionTransposed", {
      groups,
      x: y!,
      xChannels,
      weight: weight!,
      bias,
      biasLength: channels,
    });
    return [{ shape: [y!.shape[0]!, channels, ...inputSize], dtype: "f32" }];
  },
  reference: ([y, weight, bias], attrs) => {
    const shape = [y!.shape[0]!, attrs.groups * weight!.shape[1]!, ...attrs.inputSize];
    const out = biased(shape, bias);
    const sizes = sizesOf({ x: shape, weight: weight!.shape, output: y!.shape.slice(2) }, attrs);
    forEachProduct(sizes, (x, weightAt, yAt) => {
      out.values[x]! += y!.values[yAt]! * weight!.values[weightAt]!;
    });
    return [out];
  },
  run: (backend, [y, weight, bias], [out], attrs) => {
    const sizes = sizesOf({ x: out!.shape, weight: weight!.shape, output: y!.shape.slice(2) }, attrs);
    const matrix = swapped(weightView(weight!, sizes));
    backend.kernels.fill(out!, 0);
    forEachTile(backend, sizes, (tile, columns) => {
      const source = new OutputTile(backend, y!, { sizes, tile });
      source.read();
      backend.kernels.matmul(matrix, source.matrix, columns, {});
      source.dispose();
      backend.kernels.col2im(flatLines(columns), sizes.window, tile, out!);
    });
    if (bias !== undefined) addChannelBias(backend, out!, bias);
  },
  vjp: {
    saves: { inputs: [0, 1] },
    pull: ({ inputs: [y, weight], inputShapes, attrs, needs }, dOut) => [
      needs[0] ? convolutionOp.apply([dOut, weight!], attrs)[0] : undefined,
      needs[1] ? weightProduct([dOut, y!], { ...attrs, kernelSize: inputShapes[1]!.slice(2) }) : undefined,
      ...biasGradient(dOut, needs[2]),
    ],
  },
  reductionLength: ([, weight], { groups }) => (weight![0]! / groups) * numElements(weight!.slice(2)),
  samples: transposedSamples,
});

/** Inputs x [B, C, ...], y [B, O, ...]. Output weight [O, C / G, ...kernelSize]. */
export const convolutionWeightOp: StructuralOp<WeightAttrs> = defineStructural<WeightAttrs>({
  name: "convolutionWeight",
  shapeRule: ([x, y], attrs) => {
    checkConvolution("convolutionWeight", attrs, { x, y });
    // Tiles are added up in it, one after another.
    const shape = [y!.shape[1]!, x!.shape[1]! / attrs.groups, ...attrs.kernelSize];
    return [{ shape, dtype: "f32", fidelity: "exact" }];
  },
  reference: ([x, y], attrs) => {
    const shape = [y!.shape[1]!, x!.shape[1]! / attrs.groups, ...attrs.kernelSize];
    const out = biased(shape, undefined);
    forEachProduct(sizesOf({ x: x!.shape, weight: shape, output: y!.shape.slice(2) }, attrs), (xAt, weight, yAt) => {
      out.values[weight]! += x!.values[xAt]! * y!.values[yAt]!;
    });
    return [out];
  },
  run: (backend, [x, y], [out], attrs) => {
    const sizes = sizesOf({ x: x!.shape, weight: out!.shape, output: y!.shape.slice(2) }, attrs);
    const matrix = weightView(out!, sizes);
    let accumulate = false;
    forEachTile(backend, sizes, (tile, columns) => {
      backend.kernels.im2col(x!, sizes.window, tile, flatLines(columns));
      const source = new OutputTile(backend, y!, { sizes, tile });
      source.read();
      backend.kernels.matmul(source.matrix, swapped(columns), matrix, { accumulate });
      source.dispose();
      accumulate = true;
    });
    if (!accumulate) backend.kernels.fill(out!, 0);
  },
  vjp: {
    saves: { inputs: [0, 1] },
    pull: ({ inputs: [x, y], inputShapes, attrs, needs }, dOut) => [
      needs[0] ? transposed([y!, dOut], { ...attrs, inputSize: inputShapes[0]!.slice(2) }) : undefined,
      needs[1] ? convolutionOp.apply([x!, dOut], attrs)[0] : undefined,
    ],
  },
  reductionLength: ([, y]) => y![0]! * numElements(y!.slice(2)),
  samples: weightSamples,
});

function transposed(inputs: readonly Tensor[], attrs: TransposedAttrs): Tensor {
  return convolutionTransposedOp.apply(inputs, attrs)[0]!;
}

function weightProduct(inputs: readonly Tensor[], attrs: WeightAttrs): Tensor {
  return convolutionWeightOp.apply(inputs, attrs)[0]!;
}

/** Nothing where there is no bias; else its gradient, if it is wanted. */
function biasGradient(dOut: Tensor, isNeeded: boolean | undefined): (Tensor | undefined)[] {
  if (isNeeded === undefined) return [];
  if (!isNeeded) return [undefined];
  const perImage =
    dOut.numDims > 2
      ? sum(
          dOut,
          Array.from({ length: dOut.numDims - 2 }, (_, i) => i + 2),
        )
      : dOut; // [B, O]
  return [sum(perImage, 0)];
}

/** Zeros, or the bias of each channel. */
function biased(shape: Shape, bias: ReferenceArray | undefined): ReferenceArray {
  const positions = numElements(shape.slice(2));
  if (bias === undefined) return referenceFrom(shape, () => 0);
  return referenceFrom(shape, (i) => bias.values[Math.floor(i / positions) % shape[1]!]!);
}

/** [O, C / G, ...] -> [G, O / G, K]. */
function weightView(weight: TensorView, { groups, outChannels, depth }: ConvolutionSizes): TensorView {
  const rows = outChannels / groups;
  const { buffer, offset, dtype } = weight;
  return { buffer, offset, dtype, shape: [groups, rows, depth], strides: [rows * depth, depth, 1] };
}

/** The last two dims exchanged. */
function swapped({ buffer, offset, dtype, shape, strides }: TensorView): TensorView {
  const [g, m, n] = shape as [number, number, number];
  const [gStride, mStride, nStride] = strides as [number, number, number];
  return { buffer, offset, dtype, shape: [g, n, m], strides: [gStride, nStride, mStride] };
}

/** [G, K, n] -> [G * K, n]. */
function flatLines({ buffer, offset, dtype, shape, strides }: TensorView): TensorView {
  return { buffer, offset, dtype, shape: [shape[0]! * shape[1]!, shape[2]!], strides: strides.slice(1) };
}

/** Calls `use` with each tile and memory for its columns, [G, K, n]. */
function forEachTile(
  backend: Backend,
  sizes: ConvolutionSizes,
  use: (tile: ColumnsTile, columns: TensorView) => void,
): void {
  const { groups, depth } = sizes;
  const tiles = tilesOf(sizes);
  if (tiles.length === 0) return;
  const line = Math.ceil(columnsOf(tiles[0]!, sizes) / 16) * 16 + 16;
  const memory = Tensor.allocate(backend, [groups * depth * line], "f32", "exact");
  for (const tile of tiles) {
    const shape = [groups, depth, columnsOf(tile, sizes)];
    use(tile, { buffer: memory.buffer, offset: 0, dtype: "f32", shape, strides: [depth * line, line, 1] });
  }
  memory.dispose();
}

function columnsOf({ numImages, numRows }: ColumnsTile, { window }: ConvolutionSizes): number {
  return numImages * numRows * window.output[2];
}

/** The part of a tensor [B, O, P] that a tile stands for, as matrices [G, O / G, n]: in place for one image, else gathered. */
class OutputTile {
  readonly matrix: TensorView;
  readonly #backend: Backend;
  readonly #part: TensorView;
  readonly #gathered: Tensor | undefined;

  constructor(
    backend: Backend,
    whole: TensorView,
    at: { readonly sizes: ConvolutionSizes; readonly tile: ColumnsTile },
  ) {
    const { groups, outChannels, numPositions, window } = at.sizes;
    const { firstImage, numImages, firstRow, numRows } = at.tile;
    const rows = outChannels / groups;
    const positions = numRows * window.output[2];
    const n = numImages * positions;
    const start = firstImage * outChannels * numPositions + firstRow * window.output[2];
    this.#backend = backend;
    this.#part = {
      buffer: whole.buffer,
      offset: whole.offset + start,
      dtype: "f32",
      shape: [outChannels, numImages, positions],
      strides: [numPositions, outChannels * numPositions, 1],
    };
    this.#gathered = numImages === 1 ? undefined : Tensor.allocate(backend, [groups, rows, n], "f32", "exact");
    this.matrix = this.#gathered ?? {
      ...this.#part,
      shape: [groups, rows, n],
      strides: [rows * numPositions, numPositions, 1],
    };
  }

  read(): void {
    if (this.#gathered !== undefined) this.#backend.kernels.copy(this.#part, this.#pieces(this.#gathered));
  }

  write(): void {
    if (this.#gathered !== undefined) this.#backend.kernels.copy(this.#pieces(this.#gathered), this.#part);
  }

  dispose(): void {
    this.#gathered?.dispose();
  }

  #pieces({ buffer, offset }: TensorView): TensorView {
    const [channels, images, positions] = this.#part.shape as [number, number, number];
    const strides = [images * positions, positions, 1];
    return { buffer, offset, dtype: "f32", shape: [channels, images, positions], strides };
  }
}
