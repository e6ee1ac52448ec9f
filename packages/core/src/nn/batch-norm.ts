/**
 * @file Batch normalisation with running statistics.
 *
 * Training normalises by the micro-batch's own statistics and emits their sums: [n, n * mean [C], n * variance [C]], n the elements of a
 * channel, the variance divided by n - 1. Inside a microBatchScope they wait to be taken and are applied once a step (decision 0013);
 * outside of one they are applied at once, as PyTorch does.
 */

import { noGrad } from "../autograd/grad-mode.js";
import { currentMicroBatch } from "../autograd/micro-batch-scope.js";
import type { TensorView } from "../backend/backend.js";
import { withBackend } from "../backend/current-backend.js";
import { ShapeError, ValueError } from "../errors.js";
import { add as addExpr, div as divExpr, eq, input, mul as mulExpr, scalar, select } from "../expr/expr.js";
import { elementwiseProgram } from "../expr/program.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { batchNorm } from "../ops/channel-norm.js";
import { concat } from "../ops/concat.js";
import { sqrt } from "../ops/math.js";
import { reshape } from "../ops/reshape.js";
import { full, ones, zeros } from "../tensor/create.js";
import { keep, scope } from "../tensor/scope.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { filledParameter } from "./init.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";
import type { StatisticsSource } from "./statistics-source.js";

export interface BatchNormModuleOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Share of a step's statistics in the running ones, in [0, 1]. Default 0.1. */
  readonly momentum?: number;
  /** Whether there are a weight and a bias. Default true. */
  readonly affine?: boolean;
  /** False: no running statistics; evaluation uses the batch's, too. Default true. */
  readonly trackRunningStats?: boolean;
}

/** count = 0 ? running : running * (1 - momentum) + sum / count * momentum */
const moveRunning = elementwiseProgram(
  "runningStatistics",
  ["f32", "f32", "f32"],
  [
    select(
      eq(input(2), 0),
      input(0),
      addExpr(mulExpr(input(0), scalar(0)), mulExpr(divExpr(input(1), input(2)), scalar(1))),
    ),
  ],
  2,
);

abstract class BatchNorm extends Module implements StatisticsSource {
  readonly numFeatures: number;
  readonly eps: number;
  readonly momentum: number;
  weight: Parameter | undefined;
  bias: Parameter | undefined;
  readonly #layer: string;
  readonly #ranks: readonly number[];
  readonly #running: { readonly mean: Tensor; readonly variance: Tensor } | undefined;
  #pending: { readonly microBatch: object; readonly sums: Tensor } | undefined;

  protected constructor(
    layer: { readonly name: string; readonly ranks: readonly number[] },
    numFeatures: number,
    options: BatchNormModuleOptions,
  ) {
    super();
    const { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true } = options;
    assertSizes(layer.name, { numFeatures });
    if (!(momentum >= 0 && momentum <= 1)) {
      throw new ValueError(`${layer.name}: momentum is ${momentum}; it must be in [0, 1].`, { momentum }, "E_LAYER");
    }
    this.numFeatures = numFeatures;
    this.eps = eps;
    this.momentum = momentum;
    this.#layer = layer.name;
    this.#ranks = layer.ranks;
    this.weight = affine ? filledParameter([numFeatures], 1) : undefined;
    this.bias = affine ? filledParameter([numFeatures], 0) : undefined;
    if (!trackRunningStats) return;
    this.#running = {
      mean: this.registerBuffer("runningMean", zeros([numFeatures])),
      variance: this.registerBuffer("runningVar", ones([numFeatures])),
    };
  }

  /** 0 without running statistics. */
  get statisticsLength(): number {
    return this.#running === undefined ? 0 : 1 + 2 * this.numFeatures;
  }

  forward(x: Tensor): Tensor {
    this.#assertInput(x);
    if (!this.training && this.#running !== undefined) return this.#normalizeByRunning(x, this.#running);
    const { out, mean, variance } = batchNorm(x, { weight: this.weight, bias: this.bias, eps: this.eps });
    if (this.training && this.#running !== undefined) this.#emit(x.size / this.numFeatures, mean, variance);
    mean.dispose();
    variance.dispose();
    return out;
  }

  takeStatistics(): Tensor | undefined {
    const pending = this.#pending;
    this.#pending = undefined;
    const microBatch = currentMicroBatch();
    if (pending === undefined || microBatch === undefined || microBatch === pending.microBatch) return pending?.sums;
    pending.sums.dispose();
    return undefined;
  }

  applyStatistics(sums: TensorView): void {
    const running = this.#running;
    if (running === undefined) return;
    const size = this.numFeatures;
    const part = (start: number, stride: number): TensorView => ({
      buffer: sums.buffer,
      offset: sums.offset + start,
      shape: [size],
      strides: [stride],
      dtype: "f32",
    });
    for (const [i, target] of [running.mean, running.variance].entries()) {
      const inputs = [target, part(1 + i * size, 1), part(0, 0)];
      target.backend.elementwise(moveRunning, inputs, [1 - this.momentum, this.momentum], [target]);
      target.storage.version++;
    }
  }

  #normalizeByRunning(x: Tensor, running: { readonly mean: Tensor; readonly variance: Tensor }): Tensor {
    const perChannel = (values: Tensor) => reshape(values, [this.numFeatures, ...x.shape.slice(2).map(() => 1)]);
    const rstd = div(1, sqrt(add(running.variance, this.eps)));
    const scale = this.weight === undefined ? rstd : mul(rstd, this.weight);
    const out = mul(sub(x, perChannel(running.mean)), perChannel(scale));
    return this.bias === undefined ? out : add(out, perChannel(this.bias));
  }

  #emit(count: number, mean: Tensor, variance: Tensor): void {
    const sumsOf = (): Tensor =>
      scope(() => concat([full([1], count), mul(mean, count), mul(variance, (count * count) / (count - 1))]));
    const sums = keep(noGrad(() => withBackend(mean.backend, sumsOf)));
    const microBatch = currentMicroBatch();
    const pending = this.#pending;
    this.#pending = undefined;
    if (microBatch === undefined) {
      this.applyStatistics(sums);
      sums.dispose();
    } else if (pending?.microBatch === microBatch) {
      this.#pending = { microBatch, sums: keep(noGrad(() => add(pending.sums, sums))) };
      sums.dispose();
    } else this.#pending = { microBatch, sums };
    pending?.sums.dispose();
  }

  #assertInput(x: Tensor): void {
    const where = this.#layer;
    if (!this.#ranks.includes(x.numDims) || x.shape[1] !== this.numFeatures) {
      const expected =
        this.#ranks.length === 1
          ? `[B,${this.numFeatures},H,W]`
          : `[B,${this.numFeatures}] or [B,${this.numFeatures},W]`;
      throw new ShapeError(
        `${where}: x is ${formatShape(x.shape)}; it must be ${expected}, batch, numFeatures and spatial dims.`,
        { x: x.shape, numFeatures: this.numFeatures },
      );
    }
    const count = x.size / this.numFeatures;
    if (this.training && count < 2) {
      throw new ShapeError(
        `${where}: x is ${formatShape(x.shape)}, which has ${count} values a channel; training needs at least 2. Raise microBatchSize or call eval().`,
        { x: x.shape, count },
      );
    }
  }
}

/**
 * Normalises each feature over the batch (and positions): by the micro-batch's statistics in training, by running ones in evaluation.
 *
 * @shape x [B, numFeatures] or [B, numFeatures, W] -> same; weight, bias, runningMean, runningVar [numFeatures]
 * @numerics In a step of M micro-batches the running statistics move once, towards the mean of the micro-batches' statistics weighted
 *   by their counts; with M = 1 as in PyTorch.
 * @throws {ValueError} E_LAYER for a bad size or momentum. {ShapeError} E_SHAPE for x of another shape or fewer than two values a channel.
 * @source torch.nn.BatchNorm1d. Deviations: no num_batches_tracked, no momentum of None.
 */
export class BatchNorm1d extends BatchNorm {
  constructor(numFeatures: number, options: BatchNormModuleOptions = {}) {
    super({ name: "BatchNorm1d", ranks: [2, 3] }, numFeatures, options);
  }
}

/**
 * As BatchNorm1d, for images.
 *
 * @shape x [B, numFeatures, H, W] -> same; weight, bias, runningMean, runningVar [numFeatures]
 * @throws {ValueError} E_LAYER; {ShapeError} E_SHAPE
 * @source torch.nn.BatchNorm2d. Deviations: no num_batches_tracked, no momentum of None.
 */
export class BatchNorm2d extends BatchNorm {
  constructor(numFeatures: number, options: BatchNormModuleOptions = {}) {
    super({ name: "BatchNorm2d", ranks: [4] }, numFeatures, options);
  }
}
