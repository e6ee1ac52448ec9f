/** @file A loss in which samples count unequally, whatever the loss: it is taken of the samples of each weight apart. */
import { add, type LossSum, mul, type Tensor, take, tensor } from "@lockstep/core";
import type { FitLoss } from "./definition.js";
import { FitError } from "./fit-error.js";

/**
 * sum = sum over samples i of weights[i] * loss_i; weight = what the loss counts without weights, as Keras' sample_weight.
 * The loss must be additive over samples.
 *
 * @param weights one for each sample, f64; undefined for all 1.
 * @shape outputs [B, ...], targets [B, ...] -> scalar
 */
export function weightedLoss(
  loss: FitLoss,
  outputs: Tensor,
  { targets, weights }: { readonly targets: Tensor; readonly weights: readonly number[] | undefined },
): LossSum {
  if (weights === undefined || weights.every((weight) => weight === 1)) return loss(outputs, targets);
  const values = [...new Set(weights)].sort((a, b) => a - b);
  let sum: Tensor | undefined;
  let weight = 0;
  for (const value of values) {
    const rows = weights.flatMap((other, row) => (other === value ? [row] : []));
    const ids = tensor(Int32Array.from(rows));
    const part = loss(take(outputs, ids, 0), take(targets, ids, 0));
    weight += part.weight;
    const scaled = mul(part.sum, value);
    sum = sum === undefined ? scaled : add(sum, scaled);
  }
  return { sum: sum!, weight };
}

/**
 * What each sample counts for: its own weight times that of its class.
 *
 * @throws {FitError} E_FIT_CLASS_WEIGHT when there are class weights and targets are no labels [B].
 */
export function sampleWeights(
  targets: { readonly data: Float32Array | Int32Array; readonly shape: readonly number[] } | undefined,
  own: Float32Array | undefined,
  classWeight: Readonly<Record<string, number>>,
): Float64Array | undefined {
  const hasClasses = Object.keys(classWeight).length > 0;
  if (!hasClasses) return own && Float64Array.from(own);
  if (targets === undefined || !(targets.data instanceof Int32Array) || targets.shape.length > 0) {
    throw new FitError(
      "E_FIT_CLASS_WEIGHT",
      "fit: classWeight is given, and the targets are not one label a sample; they must be whole numbers 0, 1, 2, ... Use sampleWeight instead.",
    );
  }
  for (const [label, weight] of Object.entries(classWeight)) {
    if (/^\d+$/.test(label) && Number.isFinite(weight) && weight >= 0) continue;
    const text = `fit: classWeight[${label}] is ${weight}; keys must be labels 0, 1, 2, ... and weights finite and at least 0.`;
    throw new FitError("E_FIT_CLASS_WEIGHT", text, { label, weight });
  }
  return Float64Array.from(targets.data, (label, i) => (classWeight[String(label)] ?? 1) * (own?.[i] ?? 1));
}

/** @throws {FitError} E_FIT_CLASS_WEIGHT for a weight of a label that no sample has. */
export function assertClassesAreThere(
  targets: { readonly data: Float32Array | Int32Array },
  classWeight: Readonly<Record<string, number>>,
): void {
  const labels = new Set(targets.data);
  for (const [label, weight] of Object.entries(classWeight)) {
    if (labels.has(Number(label))) continue;
    const known = [...labels].sort((a, b) => a - b).join(", ");
    const text = `fit: classWeight[${label}] is ${weight}, and no sample has this label; it must be one of ${known}.`;
    throw new FitError("E_FIT_CLASS_WEIGHT", text, { label, weight });
  }
}
