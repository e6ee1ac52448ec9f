/** @file Interpolation of images. Legend: B batch, C channels. */
import { ValueError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import { type SpatialSize, spatialSizes } from "./conv.js";
import { checkImages } from "./pool.js";
import { resample, resampleTable, type Tap } from "./resample.js";

export interface UpsampleOptions {
  /** Spatial size of the output. This or scaleFactor. */
  readonly size?: SpatialSize;
  /** Size of the output / size of the input, rounded down. */
  readonly scaleFactor?: SpatialSize;
  /** Default "nearest". "linear" is for one spatial dim, "bilinear" for two. */
  readonly mode?: "nearest" | "linear" | "bilinear";
  /** Linear modes: corner pixels are at the corners, not at the corners' pixels' middles. Default false. */
  readonly alignCorners?: boolean;
}

/** Places of output j along an axis, and their weights. */
function tapsOf(
  j: number,
  axis: { readonly from: number; readonly to: number; readonly scale: number },
  options: UpsampleOptions,
): Tap[] {
  const { from, to, scale } = axis;
  if ((options.mode ?? "nearest") === "nearest") return [[Math.min(Math.floor(j * scale), from - 1), 1]];
  const at = options.alignCorners ? (to > 1 ? (j * (from - 1)) / (to - 1) : 0) : Math.max(0, (j + 0.5) * scale - 0.5);
  const low = Math.min(Math.floor(at), from - 1);
  const weight = at - low;
  return low === from - 1 || weight === 0
    ? [[low, 1]]
    : [
        [low, 1 - weight],
        [low + 1, weight],
      ];
}

/**
 * Images of another size: each output takes the nearest input, or a weighted mean of the two nearest along each dim.
 *
 * @shape x [B, C, W] or [B, C, H, W] -> [B, C, ...size]
 * @numerics One axis after the other, the first first; weights are computed in f64 and rounded to f32.
 * @throws {ShapeError} E_SHAPE; {ValueError} E_VALUE for a size, factor or mode that cannot be.
 * @source torch.nn.functional.interpolate with the modes nearest, linear and bilinear
 * @example
 * upsample(tensor([[[1, 2]]]), { scaleFactor: 2 }).toArraySync(); // => [[[1, 1, 2, 2]]]
 */
export function upsample(x: Tensor, options: UpsampleOptions): Tensor {
  const numSpatial = x.numDims === 3 ? 1 : 2;
  checkImages("upsample", x, numSpatial);
  const { size, scaleFactor, mode = "nearest" } = options;
  const linearMode = numSpatial === 1 ? "linear" : "bilinear";
  if (mode !== "nearest" && mode !== linearMode) {
    throw new ValueError(
      `upsample: mode is ${JSON.stringify(mode)} and x has ${numSpatial} spatial dims; it must be "nearest" or "${linearMode}".`,
      { mode, numSpatial },
    );
  }
  if ((size === undefined) === (scaleFactor === undefined)) {
    throw new ValueError(
      `upsample: size is ${size} and scaleFactor ${scaleFactor}; exactly one of them must be given.`,
      {
        size,
        scaleFactor,
      },
    );
  }
  const factors =
    scaleFactor === undefined ? [] : spatialSizes("upsample", "scaleFactor", { size: scaleFactor, numSpatial });
  const sizes =
    size === undefined
      ? factors.map((factor, axis) => Math.floor(x.shape[axis + 2]! * factor))
      : spatialSizes("upsample", "size", { size, numSpatial });
  const tables = sizes.map((to, axis) => {
    const from = x.shape[axis + 2]!;
    if (!Number.isInteger(to) || to < 1 || from < 1) {
      throw new ValueError(
        `upsample: spatial dim ${axis} goes from ${from} to ${to} places; both must be whole numbers of at least 1.`,
        { axis, from, to },
      );
    }
    const scale = factors[axis] === undefined ? from / to : 1 / factors[axis];
    return [
      axis + 2,
      resampleTable(Array.from({ length: to }, (_, j) => tapsOf(j, { from, to, scale }, options))),
    ] as const;
  });
  return resample(x, new Map(tables));
}
