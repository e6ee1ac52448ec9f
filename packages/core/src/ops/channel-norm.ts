/**
 * @file Normalisation of images: over the batch for each channel (batch norm) or over groups of channels of each image (group norm).
 *
 *   out = (x - mean) / sqrt(variance + eps) * weight[c] + bias[c]        variance divides by N, the number of elements of a statistic
 *
 * Made of element-wise programs and reductions, on rows (b, c) of P positions; nothing of the size of x is kept for backward but x.
 * Legend: B batch, C channels, P positions of an image, G groups; a "statistic" belongs to a channel, or to a group of an image.
 */
import { withBackend } from "../backend/current-backend.js";
import { DTypeError, ShapeError } from "../errors.js";
import { ones, zeros } from "../tensor/create.js";
import { formatShape, numElements, type Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural } from "./apply.js";
import { add, div, mul, square, sub } from "./arithmetic.js";
import { asContiguous, runBackwardKernel } from "./backward-kernel.js";
import { ChannelStatistics } from "./channel-statistics.js";
import type { ReferenceArray, TensorSpec } from "./contract.js";
import { sqrt } from "./math.js";
import { mean } from "./reduce.js";
import { reshape } from "./reshape.js";
import { normal } from "./samples.js";

export interface ChannelNormAttrs {
  readonly eps: number;
  /** "batch": a statistic a channel, over all images. A number: so many a image. */
  readonly groups: "batch" | number;
}

/** Inputs x [B, C, ...], weight [C], bias [C]. Outputs: the result, mean and variance of each statistic. */
export const channelNormOp = defineStructural<ChannelNormAttrs>({
  name: "channelNorm",
  shapeRule: ([x, weight, bias], { groups }) => {
    checkChannelNorm(x!, { weight: weight!, bias: bias! }, groups);
    const shape = statisticsShape(x!.shape, groups);
    const statistics: TensorSpec = { shape, dtype: "f32", fidelity: "exact" };
    return [x!, statistics, statistics];
  },
  reference: ([x, weight, bias], attrs) => channelNormReference(x!, { weight: weight!, bias: bias! }, attrs),
  run: (_backend, [x, weight, bias], [out, means, variances], { eps, groups }) => {
    if (x!.size === 0) return;
    const statistics = new ChannelStatistics(x!, groups);
    statistics.moments(means!, variances!);
    statistics.normalize({ means: means!, variances: variances!, weight: weight!, bias: bias!, eps }, out!);
    statistics.dispose();
  },
  vjp: {
    saves: { inputs: [0, 1], outputs: [1, 2] },
    pull: ({ inputs: [x, weight], outputs: [, means, variances], inputShapes, attrs }, dOut, dMeans, dVariances) => {
      const dy = asContiguous(dOut);
      const inputs = [dy, x!, weight!, dMeans!, dVariances!];
      const specs = inputShapes.map((shape): TensorSpec => ({ shape, dtype: "f32" }));
      return runBackwardKernel("channelNormBackward", { inputs, outputs: specs }, (backend, [dx, dWeight, dBias]) => {
        if (x!.size === 0) {
          for (const gradient of [dWeight!, dBias!]) backend.kernels.fill(gradient, 0);
          return;
        }
        const statistics = new ChannelStatistics(x!, attrs.groups);
        const saved = { means: means!, variances: variances!, weight: weight!, eps: attrs.eps };
        const cotangents = { dy, dMeans: asContiguous(dMeans!), dVariances: asContiguous(dVariances!) };
        statistics.backward(saved, cotangents, { dx: dx!, dWeight: dWeight!, dBias: dBias! });
        statistics.dispose();
      });
    },
  },
  reductionLength: ([x], { groups }) => numElements(x!) / Math.max(1, numElements(statisticsShape(x!, groups))),
  composite: ([x, weight, bias], attrs) => channelNormComposite(x!, { weight: weight!, bias: bias! }, attrs),
  samples: [
    {
      name: "batch, two spatial dims",
      inputs: [normal([3, 2, 3, 3], 1, 2), normal([2], 1, 0.2), normal([2])],
      attrs: { eps: 1e-5, groups: "batch" },
    },
    {
      name: "batch, no spatial dims",
      inputs: [normal([7, 5]), normal([5], 1, 0.2), normal([5])],
      attrs: { eps: 1e-5, groups: "batch" },
    },
    {
      name: "batch, another eps",
      inputs: [normal([4, 3, 5]), normal([3]), normal([3])],
      attrs: { eps: 0.1, groups: "batch" },
    },
    {
      name: "batch, mean far from zero",
      inputs: [normal([3, 2, 4], 100, 1), normal([2], 1, 0.2), normal([2])],
      attrs: { eps: 1e-5, groups: "batch" },
    },
    {
      name: "batch, more than a block",
      inputs: [normal([70, 3, 9, 9]), normal([3]), normal([3])],
      attrs: { eps: 1e-5, groups: "batch" },
      checkVjp: false,
    },
    {
      name: "groups",
      inputs: [normal([2, 6, 3]), normal([6], 1, 0.2), normal([6])],
      attrs: { eps: 1e-5, groups: 3 },
    },
    {
      name: "one group of odd size",
      inputs: [normal([2, 3, 2, 2]), normal([3], 1, 0.2), normal([3])],
      attrs: { eps: 1e-5, groups: 1 },
    },
    {
      name: "groups of one channel",
      inputs: [normal([2, 3, 7]), normal([3]), normal([3])],
      attrs: { eps: 1e-5, groups: 3 },
    },
    {
      name: "no images",
      inputs: [normal([0, 4, 3]), normal([4]), normal([4])],
      attrs: { eps: 1e-5, groups: 2 },
    },
  ],
});

interface Affine<T> {
  readonly weight: T;
  readonly bias: T;
}

function statisticsShape(x: Shape, groups: ChannelNormAttrs["groups"]): Shape {
  return groups === "batch" ? [x[1]!] : [x[0]!, groups];
}

function checkChannelNorm(x: TensorSpec, affine: Affine<TensorSpec>, groups: ChannelNormAttrs["groups"]): void {
  const where = groups === "batch" ? "batchNorm" : "groupNorm";
  if (x.shape.length < 2) {
    throw new ShapeError(`${where}: x is ${formatShape(x.shape)}; it must have a batch dim and a channel dim.`, {
      x: x.shape,
    });
  }
  const numChannels = x.shape[1]!;
  if (groups !== "batch" && !(Number.isInteger(groups) && groups >= 1 && numChannels % groups === 0)) {
    throw new ShapeError(
      `${where}: x is ${formatShape(x.shape)} and numGroups ${groups}; numGroups must divide ${numChannels}, its channels (dim 1).`,
      { x: x.shape, numGroups: groups },
    );
  }
  for (const [name, spec] of Object.entries({ x, ...affine })) {
    if (spec.dtype !== "f32")
      throw new DTypeError(`${where}: ${name} is ${spec.dtype}; it must be f32. Use cast("f32").`, {
        [name]: spec.dtype,
      });
    if (name !== "x" && (spec.shape.length !== 1 || spec.shape[0] !== numChannels)) {
      throw new ShapeError(
        `${where}: ${name} has shape ${formatShape(spec.shape)}, but x is ${formatShape(x.shape)}; ${name} must have shape [${numChannels}], the channels of x.`,
        { x: x.shape, [name]: spec.shape },
      );
    }
  }
}

function channelNormReference(
  x: ReferenceArray,
  { weight, bias }: Affine<ReferenceArray>,
  { eps, groups }: ChannelNormAttrs,
): readonly ReferenceArray[] {
  const [numImages, numChannels] = x.shape as [number, number];
  const positions = numElements(x.shape.slice(2));
  const shape = statisticsShape(x.shape, groups);
  const channelOf = (i: number) => Math.floor(i / positions) % numChannels;
  const statisticOf = (i: number) =>
    groups === "batch" ? channelOf(i) : Math.floor(i / ((numChannels / groups) * positions));
  const means = new Float64Array(numElements(shape));
  const variances = new Float64Array(means.length);
  const count = (numImages * numChannels * positions) / means.length;
  x.values.forEach((value, i) => {
    means[statisticOf(i)]! += value / count;
  });
  x.values.forEach((value, i) => {
    const s = statisticOf(i);
    variances[s]! += ((value - means[s]!) * (value - means[s]!)) / count;
  });
  const values = x.values.map((value, i) => {
    const [s, c] = [statisticOf(i), channelOf(i)];
    const normalized = (value - means[s]!) / Math.sqrt(variances[s]! + eps);
    return normalized * weight.values[c]! + bias.values[c]!;
  });
  return [
    { shape: x.shape, values },
    { shape, values: means },
    { shape, values: variances },
  ];
}

function channelNormComposite(
  x: Tensor,
  { weight, bias }: Affine<Tensor>,
  { eps, groups }: ChannelNormAttrs,
): readonly Tensor[] {
  const [numImages, numChannels] = x.shape as [number, number];
  if (x.size === 0) return channelNormOp.apply([x, weight, bias], { eps, groups });
  const seen = groups === "batch" ? reshape(x, [numImages, numChannels, -1]) : reshape(x, [numImages, groups, -1]);
  const axes = groups === "batch" ? [0, 2] : [2];
  const means = mean(seen, axes, { keepDims: true });
  const centred = sub(seen, means);
  const variances = mean(square(centred), axes, { keepDims: true });
  const normalized = reshape(div(centred, sqrt(add(variances, eps))), x.shape);
  const perChannel = (values: Tensor) => reshape(values, [numChannels, ...x.shape.slice(2).map(() => 1)]);
  const out = add(mul(normalized, perChannel(weight)), perChannel(bias));
  const shape = statisticsShape(x.shape, groups);
  return [out, reshape(means, shape), reshape(variances, shape)];
}

export interface NormOptions {
  /** Of each channel. Default 1. */
  readonly weight?: Tensor | undefined;
  /** Of each channel. Default 0. */
  readonly bias?: Tensor | undefined;
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
}

export interface BatchNormOutputs {
  readonly out: Tensor;
  /** [C] */
  readonly mean: Tensor;
  /** [C], divided by the number of elements. */
  readonly variance: Tensor;
}

function normInputs(x: Tensor, { weight, bias }: NormOptions): Tensor[] {
  const channels = [x.shape[1] ?? 0];
  return withBackend(x.backend, () => [x, weight ?? ones(channels), bias ?? zeros(channels)]);
}

/**
 * Each channel minus its mean over the batch and all positions, over its standard deviation, times weight, plus bias; and those statistics.
 *
 * @shape x [B, C, ...], weight [C], bias [C] -> out [B, C, ...], mean [C], variance [C]
 * @numerics Two passes: the mean first, then the squares of differences. Rows of positions are summed first, then images, both in the
 *   order of `sum`.
 * @throws {ShapeError} E_SHAPE, {DTypeError} E_DTYPE
 * @source torch.nn.functional.batch_norm in training. Deviation: returns the statistics instead of writing running ones.
 */
export function batchNorm(x: Tensor, options: NormOptions = {}): BatchNormOutputs {
  const inputs = normInputs(x, options);
  const [out, means, variances] = channelNormOp.apply(inputs, { eps: options.eps ?? 1e-5, groups: "batch" });
  return { out: out!, mean: means!, variance: variances! };
}

/**
 * Each image's groups of neighbouring channels minus their mean, over their standard deviation, times weight, plus bias.
 *
 * @shape x [B, C, ...], weight [C], bias [C] -> [B, C, ...]
 * @numerics As batchNorm: positions are summed first, then the channels of a group.
 * @throws {ShapeError} E_SHAPE, {DTypeError} E_DTYPE
 * @source torch.nn.functional.group_norm
 */
export function groupNorm(x: Tensor, numGroups: number, options: NormOptions = {}): Tensor {
  const inputs = normInputs(x, options);
  return channelNormOp.apply(inputs, { eps: options.eps ?? 1e-5, groups: numGroups })[0]!;
}
