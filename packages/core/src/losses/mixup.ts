/**
 * @file Regularisers that mix the samples of a micro-batch with one another: mixup and cutmix. What is mixed with what, and how much, are
 * draws of the current micro-batch, as dropout's are: whoever computes it, and however often, gets the same bits. They are defined on one
 * micro-batch, whose size is a part of their meaning. Legend: B samples, H height, W width.
 */
import { nextGenerator } from "../autograd/next-generator.js";
import { ShapeError } from "../errors.js";
import { add, mul } from "../ops/arithmetic.js";
import { where as choose } from "../ops/compare.js";
import { reshape } from "../ops/reshape.js";
import { takeRowsOp } from "../ops/take-rows.js";
import { indicesBeside } from "../ops/wrap-indices.js";
import type { Generator } from "../rng/generator.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertFloats, assertOption } from "./loss-checks.js";
import type { LossSum } from "./loss-sum.js";

export interface MixOptions {
  /** The share of the own sample is drawn from the distribution Beta(alpha, alpha); > 0. Default 0.2 for mixup, 1 for cutmix. */
  readonly alpha?: number;
}

/** Samples mixed with others, and the targets of both. */
export interface MixedBatch {
  /** The mixed inputs. */
  readonly inputs: Tensor;
  /** Targets of the samples themselves. */
  readonly targets: Tensor;
  /** Targets of the samples that were mixed in. */
  readonly otherTargets: Tensor;
  /** Share of the samples themselves, in 0..1. */
  readonly lambda: number;
}

/**
 * Each sample mixed with another of the micro-batch: lambda * x[i] + (1 - lambda) * x[order[i]].
 *
 * @shape inputs [B, ...] (f32), targets [B, ...] -> inputs, targets and otherTargets of the same shapes
 * @numerics One lambda and one order a micro-batch, functions of (seed, step, m) of the enclosing microBatchScope and of how many draws came
 *   before.
 * @throws {ShapeError} E_SHAPE unless both have B rows. {DTypeError} E_DTYPE unless inputs are f32. {ValueError} E_VALUE unless alpha > 0.
 * @source Zhang et al. 2018, mixup: beyond empirical risk minimization.
 * @example
 * const mixed = losses.mixup(tensor([[1], [3]]), tensor([0, 1], { dtype: "i32" }));
 * const logits = mixed.inputs.mul(tensor([1, -1])); // stands for a model
 * const { sum, weight } = losses.mixedLoss(mixed, (targets) => losses.crossEntropy(logits, targets));
 * weight; // => 2
 */
export function mixup(inputs: Tensor, targets: Tensor, { alpha = 0.2 }: MixOptions = {}): MixedBatch {
  checkBatch("mixup", inputs, targets);
  assertOption("mixup", ["alpha", alpha], "> 0");
  const generator = nextGenerator();
  const lambda = generator.beta(alpha, alpha);
  const order = drawOrder(generator, inputs);
  const mixed = add(mul(inputs, lambda), mul(inOrder(inputs, order), 1 - lambda));
  return { inputs: mixed, targets, otherTargets: inOrder(targets, order), lambda };
}

/**
 * Each image with a rectangle of another of the micro-batch in its place. `lambda` is the share of pixels that stayed.
 *
 * @shape inputs [B, ..., H, W] (f32, 3 dims or more), targets [B, ...] -> inputs, targets and otherTargets of the same shapes
 * @numerics One rectangle and one order a micro-batch, functions of (seed, step, m) of the enclosing microBatchScope and of how many draws
 *   came before.
 * @throws {ShapeError} E_SHAPE unless both have B rows and inputs at least 3 dims. {DTypeError} E_DTYPE unless inputs are f32. {ValueError}
 *   E_VALUE unless alpha > 0.
 * @source Yun et al. 2019, CutMix: sides are sqrt(1 - lambda) of the image's, the centre is uniform, what lies outside is cut off.
 */
export function cutmix(inputs: Tensor, targets: Tensor, { alpha = 1 }: MixOptions = {}): MixedBatch {
  checkBatch("cutmix", inputs, targets);
  assertOption("cutmix", ["alpha", alpha], "> 0");
  if (inputs.numDims < 3 || inputs.shape.slice(-2).includes(0)) {
    throw new ShapeError(
      `cutmix: inputs are ${formatShape(inputs.shape)}; they must be images [B, ..., H, W], H and W at least 1.`,
      { inputs: inputs.shape },
    );
  }
  const [height, width] = inputs.shape.slice(-2) as [number, number];
  const generator = nextGenerator();
  const side = Math.sqrt(1 - generator.beta(alpha, alpha));
  const [top, bottom] = drawSpan(generator, height, side);
  const [left, right] = drawSpan(generator, width, side);
  const order = drawOrder(generator, inputs);
  const isCut = new Int32Array(height * width);
  for (let row = top; row < bottom; row++) isCut.fill(1, row * width + left, row * width + right);
  const mask = indicesBeside(inputs, isCut, [height, width]);
  return {
    inputs: choose(mask, inOrder(inputs, order), inputs),
    targets,
    otherTargets: inOrder(targets, order),
    lambda: 1 - ((bottom - top) * (right - left)) / (height * width),
  };
}

/**
 * The loss of mixed samples: lambda of that of their own targets, 1 - lambda of that of the others. The weight is mixed alike.
 *
 * @param loss  the loss of the model's output on `mixed.inputs` beside the targets it is given; called twice.
 * @shape -> scalar
 * @source Zhang et al. 2018, with the loss mixed instead of the targets: the same for cross-entropies.
 */
export function mixedLoss(mixed: MixedBatch, loss: (targets: Tensor) => LossSum): LossSum {
  const [own, other] = [loss(mixed.targets), loss(mixed.otherTargets)];
  const { lambda } = mixed;
  return {
    sum: add(mul(own.sum, lambda), mul(other.sum, 1 - lambda)),
    weight: other.weight + lambda * (own.weight - other.weight),
  };
}

function checkBatch(where: string, inputs: Tensor, targets: Tensor): void {
  assertFloats(where, { inputs });
  if (inputs.numDims > 0 && targets.numDims > 0 && inputs.shape[0] === targets.shape[0]) return;
  throw new ShapeError(
    `${where}: inputs are ${formatShape(inputs.shape)} and targets ${formatShape(targets.shape)}; both must have the samples as their first dim.`,
    { inputs: inputs.shape, targets: targets.shape },
  );
}

function drawOrder(generator: Generator, inputs: Tensor): Tensor {
  return indicesBeside(inputs, Int32Array.from(generator.permutation(inputs.shape[0]!)));
}

/** Rows of the first dim, in another order. */
function inOrder(x: Tensor, order: Tensor): Tensor {
  const length = x.shape.slice(1).reduce((a, b) => a * b, 1);
  const rows = takeRowsOp.apply([reshape(x, [x.shape[0]!, length]), order], undefined)[0]!;
  return reshape(rows, x.shape);
}

/** A piece of `share` of a line around a uniform centre, as its first place and its end. */
function drawSpan(generator: Generator, length: number, share: number): [first: number, end: number] {
  const half = Math.floor(Math.floor(length * share) / 2);
  const centre = generator.integer(length);
  return [Math.max(0, centre - half), Math.min(length, centre + half)];
}
