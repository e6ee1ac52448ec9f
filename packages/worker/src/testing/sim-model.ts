/**
 * @file A model small enough for ten thousand simulated runs: its gradients are a formula of (parameters, step, micro-batch) in f32, summed on
 * the tree of design.md section 3 and applied by SGD with momentum. No backend: plain numbers, the same bits on every machine.
 *
 * Every value is divided by numbers that are no powers of two, so that a micro-batch that is lost, repeated or added in another order gives
 * other bits.
 */
import { hash128, treeSplit } from "@lockstep/core";

export interface SimModel {
  readonly seed: number;
  readonly numMicroBatches: number;
  /** Parameters. Default 24. */
  readonly numFloats?: number;
  /** Makes honest outliers: what the gradient of a micro-batch is multiplied by, on every worker. */
  readonly scaleOf?: (step: number, microBatch: number) => number;
}

export interface SimState {
  readonly params: Float32Array;
  readonly momentum: Float32Array;
}

const learningRate = 0.05;
const momentumDecay = 0.9;

export function initialSimState({ seed, numFloats = 24 }: SimModel): SimState {
  const noise = noiseOf(seed, 0, -1);
  const params = Float32Array.from({ length: numFloats }, (_, i) => noiseAt(noise, i) / 3);
  return { params, momentum: new Float32Array(numFloats) };
}

/** What a gradient depends on, beside its micro-batch. */
export interface SimPlace {
  readonly params: Float32Array;
  readonly step: number;
}

/** Weight of a micro-batch: 1, 2 or 3. */
export function simWeight(step: number, microBatch: number): number {
  return 1 + ((step + microBatch) % 3);
}

export interface SimNodeSum {
  readonly vector: Float32Array;
  readonly weight: number;
}

/** Tree sum of the gradients of micro-batches [lo, hi), which must be a node, and of their weights. */
export function simNode(
  model: SimModel,
  { params, step }: SimPlace,
  { lo, hi }: { readonly lo: number; readonly hi: number },
): SimNodeSum {
  const sum = (from: number, to: number): SimNodeSum => {
    if (to - from === 1) {
      return { vector: simGradient(model, { params, step }, from), weight: simWeight(step, from) };
    }
    const middle = from + treeSplit(to - from);
    const left = sum(from, middle);
    const right = sum(middle, to);
    for (let i = 0; i < left.vector.length; i++) left.vector[i]! += right.vector[i]!;
    return { vector: left.vector, weight: left.weight + right.weight };
  };
  return sum(lo, hi);
}

/** Sum of the losses of a micro-batch. */
export function simLoss({ seed }: SimModel, { params, step }: SimPlace, microBatch: number): number {
  const noise = noiseOf(seed, step, microBatch);
  let loss = 0;
  for (let i = 0; i < params.length; i++) {
    const distance = params[i]! - noiseAt(noise, i);
    loss += distance * distance;
  }
  return (simWeight(step, microBatch) * loss) / params.length;
}

/** One update in place, from the mean gradient. @returns the norm of the gradient. */
export function simUpdate({ params, momentum }: SimState, gradient: Float32Array): number {
  const { fround } = Math;
  let squares = 0;
  for (let i = 0; i < params.length; i++) {
    momentum[i] = fround(momentum[i]! * fround(momentumDecay)) + gradient[i]!;
    params[i] = params[i]! - fround(momentum[i]! * fround(learningRate));
    squares += gradient[i]! * gradient[i]!;
  }
  return Math.sqrt(squares);
}

export const simLearningRate = learningRate;

export function simStateHash({ params, momentum }: SimState, step: number): string {
  return hash128(bytesOf(params), bytesOf(momentum), bytesOf(Uint32Array.of(step)));
}

/** 64 hex digits that stand for a sha256 in simulations, where a real one would cost more than the model. */
export function simSha256(parts: readonly Uint8Array[]): string {
  return hash128(...parts) + hash128(new Uint8Array(1), ...parts);
}

export interface SimLoopResult {
  readonly paramsSha256: string;
  /** After step 0, 1, 2 ... */
  readonly stateHashes: readonly string[];
}

/** What any simulated run must come to: one loop, no workers, no nodes. `paramsSha256` is `simSha256` of the parameters unless a hash is given. */
export function plainSimLoop(
  model: SimModel & { readonly steps: number; readonly sha256?: (parts: readonly Uint8Array[]) => string },
): SimLoopResult {
  const state = initialSimState(model);
  const stateHashes = [simStateHash(state, 0)];
  for (let step = 1; step <= model.steps; step++) {
    simUpdate(state, simMeanGradient(model, { params: state.params, step }));
    stateHashes.push(simStateHash(state, step));
  }
  return { paramsSha256: (model.sha256 ?? simSha256)([bytesOf(state.params)]), stateHashes };
}

/** The reduced gradient of a step, as an exchange must give it. */
export function simMeanGradient(model: SimModel, place: SimPlace): Float32Array {
  const { vector, weight } = simNode(model, place, { lo: 0, hi: model.numMicroBatches });
  for (let i = 0; i < vector.length; i++) vector[i]! /= weight;
  return vector;
}

/** The bytes of an array of numbers, without copying. */
export function bytesOf(values: Float32Array | Uint32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** weight x (parameter - a value of its own for every step, micro-batch and element). */
function simGradient(model: SimModel, { params, step }: SimPlace, microBatch: number): Float32Array {
  const scale = simWeight(step, microBatch) * (model.scaleOf?.(step, microBatch) ?? 1);
  const noise = noiseOf(model.seed, step, microBatch);
  const gradient = new Float32Array(params.length);
  for (let i = 0; i < params.length; i++) {
    gradient[i] = scale * Math.fround(params[i]! - noiseAt(noise, i));
  }
  return gradient;
}

/** Integer hash of a micro-batch. */
function noiseOf(seed: number, step: number, microBatch: number): number {
  let h = Math.imul(seed ^ 0x9e3779b1, 0x85ebca77) + Math.imul(step, 0xc2b2ae3d) + Math.imul(microBatch, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** A number in (-3, 3) for an element. */
function noiseAt(noise: number, element: number): number {
  const h = Math.imul(noise ^ Math.imul(element + 1, 0x165667b1), 0x85ebca6b);
  return ((h ^ (h >>> 15)) | 0) / 715_827_883;
}
