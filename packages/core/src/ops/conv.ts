/** @file Convolutions by their number of spatial dims, as PyTorch names them. The products stand in convolution.ts. */
import { ShapeError, ValueError } from "../errors.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { convolutionOp, convolutionTransposedOp } from "./convolution.js";
import { type ConvolutionAttrs, checkWindow } from "./convolution-geometry.js";
import { type PadWidth, pad } from "./pad.js";

/** A number stands for all spatial dims. */
export type SpatialSize = number | readonly number[];

export interface ConvOptions {
  /** Default 1. */
  readonly stride?: SpatialSize;
  /**
   * Zeros on both sides. "valid": none. "same": as many as make the output as large as x, the odd one at the end; the stride must be 1.
   * Default 0.
   */
  readonly padding?: SpatialSize | "same" | "valid";
  /** Distance of the taps. Default 1. */
  readonly dilation?: SpatialSize;
  /** Channels are cut into so many parts that do not see each other; as many as channels: depthwise. Default 1. */
  readonly groups?: number;
}

export interface ConvTransposeOptions extends Omit<ConvOptions, "padding"> {
  /** What a convolution with this padding would have had. Default 0. */
  readonly padding?: SpatialSize;
  /** Added to the end of each spatial dim of the output; smaller than the stride. Default 0. */
  readonly outputPadding?: SpatialSize;
}

/**
 * One entry for each spatial dim. @shape -> [numSpatial]
 * @throws {ValueError} E_VALUE when a list has another length.
 * @source none: ours
 */
export function spatialSizes(
  where: string,
  name: string,
  of: { readonly size: SpatialSize; readonly numSpatial: number },
): number[] {
  const { size, numSpatial } = of;
  if (typeof size === "number") return new Array<number>(numSpatial).fill(size);
  if (size.length === numSpatial) return [...size];
  throw new ValueError(
    `${where}: ${name} is [${size.join(",")}]; it must be a number or have ${numSpatial} entries, one for each spatial dim.`,
    { [name]: size, numSpatial },
  );
}

function attrsOf(where: string, numSpatial: number, options: ConvTransposeOptions): ConvolutionAttrs {
  const sizes = (name: "stride" | "padding" | "dilation", size: SpatialSize) =>
    spatialSizes(where, name, { size: options[name] ?? size, numSpatial });
  return {
    stride: sizes("stride", 1),
    padding: sizes("padding", 0),
    dilation: sizes("dilation", 1),
    groups: options.groups ?? 1,
  };
}

function conv(
  numSpatial: number,
  [x, weight, bias]: readonly [Tensor, Tensor, Tensor | undefined],
  options: ConvOptions,
): Tensor {
  const where = `conv${numSpatial}d`;
  const { padding = 0, ...rest } = options;
  if (typeof padding === "string" && padding !== "same" && padding !== "valid") {
    throw new ValueError(
      `${where}: padding is ${JSON.stringify(padding)}; it must be a number, a list of numbers, "same" or "valid".`,
      { padding },
    );
  }
  const attrs = attrsOf(where, numSpatial, { ...rest, padding: typeof padding === "string" ? 0 : padding });
  const padded = padding === "same" ? paddedToSame(where, { x, weight }, attrs) : { x, attrs };
  const inputs = bias === undefined ? [padded.x, weight] : [padded.x, weight, bias];
  return convolutionOp.apply(inputs, padded.attrs)[0]!;
}

/** The padding that keeps the size; where it is odd, x with one more zero at the end. */
function paddedToSame(
  where: string,
  { x, weight }: { readonly x: Tensor; readonly weight: Tensor },
  attrs: ConvolutionAttrs,
): { readonly x: Tensor; readonly attrs: ConvolutionAttrs } {
  if (attrs.stride.some((stride) => stride !== 1)) {
    throw new ValueError(
      `${where}: padding is "same" and stride [${attrs.stride.join(",")}]; the stride must be 1. Give the padding as numbers.`,
      { stride: attrs.stride },
    );
  }
  const total = attrs.dilation.map((dilation, axis) => dilation * ((weight.shape[axis + 2] ?? 1) - 1));
  const padding = total.map((size) => Math.floor(size / 2));
  const isOdd = total.some((size) => size % 2 === 1) && x.numDims === total.length + 2;
  const widths: PadWidth[] = [0, 0, ...total.map((size): PadWidth => [0, size % 2])];
  return { x: isOdd ? pad(x, widths) : x, attrs: { ...attrs, padding } };
}

function convTranspose(
  numSpatial: number,
  [x, weight, bias]: readonly [Tensor, Tensor, Tensor | undefined],
  options: ConvTransposeOptions,
): Tensor {
  const where = `convTranspose${numSpatial}d`;
  const attrs = attrsOf(where, numSpatial, options);
  const outputPadding = spatialSizes(where, "outputPadding", { size: options.outputPadding ?? 0, numSpatial });
  checkWindow(where, { ...attrs, outputPadding });
  const inputSize = attrs.stride.map((stride, axis) => {
    const extra = outputPadding[axis]!;
    if (extra >= stride) {
      throw new ValueError(
        `${where}: outputPadding is ${extra} and stride ${stride} in spatial dim ${axis}; outputPadding must be smaller than the stride.`,
        { outputPadding, stride: attrs.stride },
      );
    }
    const reach = attrs.dilation[axis]! * ((weight.shape[axis + 2] ?? 1) - 1);
    const size = ((x.shape[axis + 2] ?? 1) - 1) * stride - 2 * attrs.padding[axis]! + reach + extra + 1;
    if (size >= 1) return size;
    throw new ShapeError(
      `${where}: x is ${formatShape(x.shape)} and weight ${formatShape(weight.shape)}, so that spatial dim ${axis} of the output would have ${size} places; there must be at least one. Lower padding.`,
      { x: x.shape, weight: weight.shape, axis },
    );
  });
  const inputs = bias === undefined ? [x, weight] : [x, weight, bias];
  return convolutionTransposedOp.apply(inputs, { ...attrs, inputSize })[0]!;
}

/**
 * Cross-correlation with a bank of kernels.
 *
 * @shape x [B, C, W], weight [O, C / groups, kW], bias [O] -> [B, O, W']; W' = floor((W + 2 padding - dilation (kW - 1) - 1) / stride) + 1
 * @numerics One f32 accumulator per element over ascending (channel, tap), then the bias; columns of at most 512 KiB at once.
 * @throws {ShapeError} E_SHAPE, {DTypeError} E_DTYPE, {ValueError} E_VALUE for an option out of range.
 * @source torch.nn.functional.conv1d. Deviation: x always has a batch dim.
 */
export function conv1d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvOptions = {}): Tensor {
  return conv(1, [x, weight, bias], options);
}

/**
 * As conv1d, over two spatial dims.
 *
 * @shape x [B, C, H, W], weight [O, C / groups, kH, kW], bias [O] -> [B, O, H', W']
 * @throws {ShapeError} E_SHAPE, {DTypeError} E_DTYPE, {ValueError} E_VALUE
 * @source torch.nn.functional.conv2d. Deviation: x always has a batch dim.
 * @example
 * const x = tensor([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]]);
 * conv2d(x, tensor([[[[1, 0], [0, 1]]]])).toArraySync(); // => [[[[6, 8], [12, 14]]]]
 */
export function conv2d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvOptions = {}): Tensor {
  return conv(2, [x, weight, bias], options);
}

/** As conv1d, over three spatial dims. @shape x [B, C, D, H, W], weight [O, C / groups, kD, kH, kW], bias [O] -> [B, O, D', H', W'] @source torch.nn.functional.conv3d */
export function conv3d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvOptions = {}): Tensor {
  return conv(3, [x, weight, bias], options);
}

/**
 * The gradient of conv1d by its input, as a layer of its own.
 *
 * @shape x [B, C, W], weight [C, O / groups, kW], bias [O] -> [B, O, W']; W' = (W - 1) stride - 2 padding + dilation (kW - 1) + outputPadding + 1
 * @throws {ShapeError} E_SHAPE, {DTypeError} E_DTYPE, {ValueError} E_VALUE
 * @source torch.nn.functional.conv_transpose1d. Deviation: outputPadding must be smaller than the stride, whatever the dilation.
 */
export function convTranspose1d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvTransposeOptions = {}): Tensor {
  return convTranspose(1, [x, weight, bias], options);
}

/**
 * As convTranspose1d, over two spatial dims.
 *
 * @shape x [B, C, H, W], weight [C, O / groups, kH, kW], bias [O] -> [B, O, H', W']
 * @throws {ShapeError} E_SHAPE, {DTypeError} E_DTYPE, {ValueError} E_VALUE
 * @source torch.nn.functional.conv_transpose2d. Deviation: outputPadding must be smaller than the stride, whatever the dilation.
 * @example
 * convTranspose2d(tensor([[[[1, 2]]]]), tensor([[[[1, 10]]]]), undefined, { stride: 2 }).toArraySync(); // => [[[[1, 10, 2, 20]]]]
 */
export function convTranspose2d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvTransposeOptions = {}): Tensor {
  return convTranspose(2, [x, weight, bias], options);
}
