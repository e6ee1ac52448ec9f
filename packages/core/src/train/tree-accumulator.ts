/**
 * @file The gradient of a step as the tree sum over its micro-batches: what makes a plain loop equal to a run of any number of
 * workers, to the bit (L5).
 */

import { ValueError } from "../errors.js";
import type { StatisticsSource } from "../nn/statistics-source.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertFiniteVector } from "./finite-check.js";
import { type FlatLayout, flatLayout } from "./flat-layout.js";
import { NodeStack } from "./node-stack.js";
import { divideByWeight } from "./reduce-gradient.js";
import { applyStatistics, foldStatistics } from "./statistics.js";
import { VectorPool } from "./vector-pool.js";

/** Anything with parameters; a Module. */
export interface ParameterOwner {
  /** In registration order, tied parameters once. */
  namedParameters(): Iterable<readonly [string, Tensor]>;
  /** Modules that emit statistics with a micro-batch, in registration order. */
  namedStatistics?(): Iterable<readonly [string, StatisticsSource]>;
}

export interface TreeAccumulator {
  /**
   * Takes the gradients of the next micro-batch, ascending from 0, and frees them: `grad` of every parameter is undefined afterwards.
   * Takes what its modules emitted, too (BatchNorm).
   *
   * @param weight samples or tokens in the micro-batch's loss sum.
   */
  add(weight: number): void;
  /**
   * Sets `grad` of every parameter to treeSum(gradients) / treeSum(weights). The gradients lie in memory of the accumulator: they hold
   * until the next accumulator of the same model is made. Updates running statistics (BatchNorm). Returns the total weight.
   *
   * @throws {ValueError} E_NO_WEIGHT when all weights are 0. @throws {NotFiniteError} E_NOT_FINITE naming a parameter.
   */
  assignGradients(): number;
  /** Most flat vectors in use at once so far: at most floor(log2 M) + 1. */
  readonly peakVectors: number;
}

interface AccumulatorMemory {
  readonly layout: FlatLayout;
  readonly parameters: readonly Tensor[];
  readonly statistics: readonly StatisticsSource[];
  readonly pool: VectorPool;
}

/** Vectors are made once for a model and used again by every step. */
const memoryOf = new WeakMap<ParameterOwner, AccumulatorMemory>();

/**
 * Begins the gradient of one step of `numMicroBatches` micro-batches.
 *
 * @numerics f32 additions in the order of the balanced binary tree over 0..M-1, one f32 division (design section 3, L1).
 * @source none: ours
 * @example
 * // not run: model, loss, seed and step are the reader's
 * const tree = treeAccumulator(model, 4);
 * for (let m = 0; m < 4; m++) microBatchScope({ seed, step, m }, () => {
 *   const { sum, weight } = loss(m);
 *   sum.backward();
 *   tree.add(weight);
 * });
 * tree.assignGradients();
 */
export function treeAccumulator(model: ParameterOwner, numMicroBatches: number): TreeAccumulator {
  let memory = memoryOf.get(model);
  if (memory === undefined || !stillFits(memory, model)) {
    memory?.pool.dispose();
    memory = createMemory(model);
    memoryOf.set(model, memory);
  }
  const { layout, parameters, statistics, pool } = memory;
  pool.releaseAll();
  const stack = new NodeStack(pool, layout, { lo: 0, hi: numMicroBatches });
  return {
    add: (weight) => {
      const fold = stack.leaf(weight);
      parameters.forEach((parameter, i) => {
        fold.add(i, parameter.grad);
        dropGradient(parameter);
      });
      foldStatistics(statistics, fold, { firstIndex: parameters.length });
      fold.finish();
    },
    assignGradients: () => {
      const node = stack.complete();
      const whole = pool.window(node.vector, 0, layout.length);
      divideByWeight(pool.backend, { sum: whole, out: whole }, node.weight);
      assertFiniteVector(pool.backend, whole, { layout });
      assignGradientsFrom(pool, node.vector, { layout, parameters });
      applyStatistics(statistics, node.vector, layout);
      return node.weight;
    },
    get peakVectors() {
      return pool.peakUsed;
    },
  };
}

/** Sets `grad` of parameters, given in flat order, to windows on a flat vector that the pool keeps. @source none: ours. */
export function assignGradientsFrom(
  pool: VectorPool,
  vector: Tensor,
  to: { readonly layout: FlatLayout; readonly parameters: readonly Tensor[] },
): void {
  to.parameters.forEach((parameter, i) => {
    dropGradient(parameter);
    // A frozen parameter has no gradient: an optimizer must leave it alone, weight decay included.
    if (parameter.requiresGrad) parameter.grad = pool.gradientIn(vector, to.layout.parameters[i]!);
  });
}

/** Frees the gradient of a parameter. @source none: ours. */
export function dropGradient(parameter: Tensor): void {
  parameter.grad?.dispose();
  parameter.grad = undefined;
}

/** Parameters that are trained, by name in registration order: frozen ones are left out. @source none: ours. */
export function trainedParameters(model: ParameterOwner): (readonly [string, Tensor])[] {
  return [...model.namedParameters()].filter(([, { requiresGrad }]) => requiresGrad);
}

/** Trained parameters in flat order: reverse registration order. @source none: ours. */
export function parametersInFlatOrder(model: ParameterOwner): Tensor[] {
  return trainedParameters(model)
    .map(([, parameter]) => parameter)
    .reverse();
}

function createMemory(model: ParameterOwner): AccumulatorMemory {
  const named = statisticsOf(model);
  const layout = flatLayout(trainedParameters(model), named);
  const statistics = named.map(([, source]) => source);
  const parameters = parametersInFlatOrder(model);
  const backend = parameters[0]?.backend;
  if (backend === undefined)
    throw new ValueError(
      "treeAccumulator: the model has no trained parameters; it must have at least one. Unfreeze one.",
    );
  return { layout, parameters, statistics, pool: new VectorPool(backend, layout.length) };
}

function stillFits(memory: AccumulatorMemory, model: ParameterOwner): boolean {
  const now = parametersInFlatOrder(model);
  const sources = statisticsOf(model).map(([, source]) => source);
  return isSameList(now, memory.parameters) && isSameList(sources, memory.statistics);
}

function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

function statisticsOf(model: ParameterOwner): (readonly [string, StatisticsSource])[] {
  return [...(model.namedStatistics?.() ?? [])];
}
