/**
 * @file Sizes of convolutions: attributes checked, output sizes, the tiles that bound memory, and the one loop of the f64 references.
 *
 * One, two or three spatial dims are handled as three, the missing outer ones of size 1.
 * Legend: B batch, C input channels, O output channels, G groups, K = C / G * taps, P output positions of an image.
 */
import type { ColumnsTile, Spatial, WindowGeometry } from "../backend/kernel-table.js";
import { DTypeError, ShapeError, ValueError } from "../errors.js";
import { formatShape, numElements, type Shape } from "../tensor/shape.js";
import type { TensorSpec } from "./contract.js";

/** One entry for each spatial dim. */
export interface ConvolutionAttrs {
  readonly stride: readonly number[];
  /** Zeros on both sides. */
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
}

/** Everything that the three products of a convolution (see convolution.ts) need to know. */
export interface ConvolutionSizes {
  readonly numImages: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly groups: number;
  readonly window: WindowGeometry;
  /** P */
  readonly numPositions: number;
  /** K */
  readonly depth: number;
}

export interface ConvolutionShapes {
  /** [B, C, ...] */
  readonly x: Shape;
  /** [O, C / G, ...] */
  readonly weight: Shape;
  /** Spatial dims of the output. */
  readonly output: Shape;
}

/**
 * Elements of a tile of columns, 512 KiB: what a convolution takes beside its tensors. At least one row of one image. A constant of
 * the shapes that changes no bit.
 */
const tileElements = 131_072;

function spatial(values: Shape, missing: number): Spatial {
  const padded = [...new Array<number>(3 - values.length).fill(missing), ...values];
  return padded as unknown as Spatial;
}

/** Size of the output along one dim; below 1 where the window does not fit. */
export function outputSize(size: number, kernel: number, { stride, padding, dilation }: AxisWindow): number {
  return Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

export interface AxisWindow {
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
}

export function axisWindow(attrs: ConvolutionAttrs, axis: number): AxisWindow {
  return { stride: attrs.stride[axis]!, padding: attrs.padding[axis]!, dilation: attrs.dilation[axis]! };
}

export function sizesOf({ x, weight, output }: ConvolutionShapes, attrs: ConvolutionAttrs): ConvolutionSizes {
  const window: WindowGeometry = {
    input: spatial(x.slice(2), 1),
    kernel: spatial(weight.slice(2), 1),
    stride: spatial(attrs.stride, 1),
    padding: spatial(attrs.padding, 0),
    dilation: spatial(attrs.dilation, 1),
    output: spatial(output, 1),
  };
  return {
    numImages: x[0]!,
    inChannels: x[1]!,
    outChannels: weight[0]!,
    groups: attrs.groups,
    window,
    numPositions: numElements(window.output),
    depth: numElements(weight.slice(1)),
  };
}

/** Pieces of the output in ascending order: several images, or rows of one where an image is too large. */
export function tilesOf(sizes: ConvolutionSizes): ColumnsTile[] {
  const { numImages, groups, depth, numPositions, window } = sizes;
  const [outD, outH, outW] = window.output;
  const rows = outD * outH;
  const lines = groups * depth;
  const tiles: ColumnsTile[] = [];
  if (numPositions === 0) return tiles;
  const imagesAtOnce = Math.floor(tileElements / (lines * numPositions));
  if (imagesAtOnce >= 1) {
    for (let firstImage = 0; firstImage < numImages; firstImage += imagesAtOnce) {
      const count = Math.min(imagesAtOnce, numImages - firstImage);
      tiles.push({ firstImage, numImages: count, firstRow: 0, numRows: rows });
    }
    return tiles;
  }
  const rowsAtOnce = Math.max(1, Math.floor(tileElements / (lines * outW)));
  for (let firstImage = 0; firstImage < numImages; firstImage++) {
    for (let firstRow = 0; firstRow < rows; firstRow += rowsAtOnce) {
      tiles.push({ firstImage, numImages: 1, firstRow, numRows: Math.min(rowsAtOnce, rows - firstRow) });
    }
  }
  return tiles;
}

/** Calls `visit` with flat places of x, weight and output for every product of the convolution. For references. */
export function forEachProduct(sizes: ConvolutionSizes, visit: (x: number, weight: number, y: number) => void): void {
  const { numImages, inChannels, outChannels, groups, window, numPositions, depth } = sizes;
  const [inD, inH, inW] = window.input;
  const taps = numElements(window.kernel);
  for (let place = 0; place < numImages * outChannels * numPositions; place++) {
    const position = place % numPositions;
    const o = Math.floor(place / numPositions) % outChannels;
    const image = Math.floor(place / numPositions / outChannels);
    const firstChannel = Math.floor(o / (outChannels / groups)) * (inChannels / groups);
    for (let k = 0; k < depth; k++) {
      const at = inputPlace(window, position, k % taps);
      if (at === undefined) continue;
      const channel = firstChannel + Math.floor(k / taps);
      visit((image * inChannels + channel) * inD * inH * inW + at, o * depth + k, place);
    }
  }
}

/** Place in an image's plane that a tap sees at an output position; undefined in the padding. */
function inputPlace(
  { input, kernel, stride, padding, dilation, output }: WindowGeometry,
  position: number,
  tap: number,
) {
  const [outH, outW] = [output[1], output[2]];
  const [kH, kW] = [kernel[1], kernel[2]];
  const outputs = [Math.floor(position / outW / outH), Math.floor(position / outW) % outH, position % outW];
  const taps = [Math.floor(tap / kW / kH), Math.floor(tap / kW) % kH, tap % kW];
  let place = 0;
  for (let axis = 0; axis < 3; axis++) {
    const at = outputs[axis]! * stride[axis]! + taps[axis]! * dilation[axis]! - padding[axis]!;
    if (at < 0 || at >= input[axis]!) return undefined;
    place = place * input[axis]! + at;
  }
  return place;
}

/** @throws {ValueError} E_VALUE for an attribute out of range; {DTypeError} E_DTYPE; {ShapeError} E_SHAPE for unlike numbers of dims. */
export function checkConvolution(
  where: string,
  attrs: ConvolutionAttrs,
  tensors: Readonly<Record<string, TensorSpec | undefined>>,
): void {
  const numSpatial = attrs.stride.length;
  for (const [name, spec] of Object.entries(tensors)) {
    if (spec === undefined) continue;
    if (spec.dtype !== "f32") {
      throw new DTypeError(`${where}: ${name} is ${spec.dtype}; it must be f32. Use cast("f32").`, {
        [name]: spec.dtype,
      });
    }
    if (name !== "bias" && spec.shape.length !== numSpatial + 2) {
      throw new ShapeError(
        `${where}: ${name} is ${formatShape(spec.shape)}; it must have ${numSpatial + 2} dims, two and ${numSpatial} spatial ones. Use unsqueeze(0) for a single image.`,
        { [name]: spec.shape },
      );
    }
  }
  checkWindow(where, attrs);
  if (!Number.isInteger(attrs.groups) || attrs.groups < 1) {
    throw new ValueError(`${where}: groups is ${attrs.groups}; it must be a whole number of at least 1.`, {
      groups: attrs.groups,
    });
  }
}

const least = { kernelSize: 1, stride: 1, padding: 0, dilation: 1, outputPadding: 0 } as const;
type WindowField = keyof typeof least;

/** @throws {ValueError} E_VALUE naming the field, for windows that cannot be. */
export function checkWindow(where: string, fields: Partial<Readonly<Record<WindowField, readonly number[]>>>): void {
  for (const name of Object.keys(least) as WindowField[]) {
    const values = fields[name] ?? [];
    if (values.every((value) => Number.isInteger(value) && value >= least[name])) continue;
    throw new ValueError(
      `${where}: ${name} is [${values.join(",")}]; every entry must be a whole number of at least ${least[name]}.`,
      { [name]: values },
    );
  }
}

/** What a convolution (or its transpose) asks of its channels. */
interface ChannelCheck {
  readonly groups: number;
  readonly x: TensorSpec;
  /** Channels that x must have. */
  readonly xChannels: number;
  readonly weight: TensorSpec;
  readonly bias: TensorSpec | undefined;
  readonly biasLength: number;
}

/** @throws {ShapeError} E_SHAPE unless groups divides the first dim of weight, x has its channels and bias its length. */
export function checkChannels(where: string, check: ChannelCheck): void {
  const { groups, x, xChannels, weight, bias, biasLength } = check;
  if (weight.shape[0]! % groups !== 0) {
    throw new ShapeError(
      `${where}: weight is ${formatShape(weight.shape)} and groups ${groups}; groups must divide ${weight.shape[0]}, its first dim.`,
      { weight: weight.shape, groups },
    );
  }
  if (x.shape[1] !== xChannels) {
    throw new ShapeError(
      `${where}: x is ${formatShape(x.shape)}, but weight is ${formatShape(weight.shape)} with groups ${groups}; x must have ${xChannels} channels (dim 1).`,
      { x: x.shape, weight: weight.shape, groups },
    );
  }
  if (bias !== undefined && (bias.shape.length !== 1 || bias.shape[0] !== biasLength)) {
    throw new ShapeError(
      `${where}: bias is ${formatShape(bias.shape)}, but weight is ${formatShape(weight.shape)} with groups ${groups}; bias must be [${biasLength}].`,
      { bias: bias.shape, weight: weight.shape },
    );
  }
}
