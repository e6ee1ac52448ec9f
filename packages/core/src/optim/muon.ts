/**
 * @file Muon: momentum whose matrix is brought near to an orthogonal one before it moves the parameter.
 *
 * Unlike the other optimizers it multiplies matrices. Every product adds in the order of the matmul kernel, fixed by shape (L1), in the
 * numeric class of the run. Legend: R rows, C columns of the parameter seen as a matrix.
 */
import type { Backend, TensorView } from "../backend/backend.js";
import { ValueError } from "../errors.js";
import { add, input, mul, scalar, sub } from "../expr/expr.js";
import { type ElementwiseProgram, elementwiseProgram } from "../expr/program.js";
import { untracked } from "../tensor/scope.js";
import { formatShape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { adamRule, adamScalars, adamState } from "./adam.js";
import { assertBetas, assertFraction, assertNumber } from "./assert-settings.js";
import { type CommonSettings, noPenalty, Optimizer, type ParameterSlot } from "./optimizer.js";
import { orthogonalise } from "./orthogonalise.js";
import type { ParametersOrGroups } from "./parameter-group.js";
import { type PenaltySettings, penalisedTerms, penaltyScalars } from "./update-program.js";

export interface MuonSettings extends CommonSettings {
  /**
   * What moves the group's parameters. "auto" (default): Muon for two and more dims, AdamW for the rest. Embeddings and the last layer
   * should be "adamW" by a group of their own.
   */
  readonly method: "auto" | "muon" | "adamW";
  /** Decay of Muon's momentum, in [0, 1). */
  readonly momentum: number;
  readonly nesterov: boolean;
  /** Iterations of Newton and Schulz. */
  readonly numIterations: number;
  /** AdamW's learning rate as a multiple of Muon's. */
  readonly adamWLearningRateScale: number;
  /** AdamW's. */
  readonly betas: readonly [number, number];
  /** AdamW's. */
  readonly eps: number;
}

export interface MuonOptions extends Partial<MuonSettings> {
  /** Muon's. Default 0.02. */
  readonly learningRate?: number;
}

const moveProgram = elementwiseProgram(
  "muonMove",
  ["f32", "f32"],
  [sub(mul(input(0), scalar(0)), mul(scalar(1), input(1)))],
  2,
);

const directionPrograms = new Map<string, ElementwiseProgram>();

/** Outputs: the new momentum, and the direction before it is orthogonalised. Inputs: parameter, gradient, momentum. */
function directionProgram(penalty: PenaltySettings, isNesterov: boolean): ElementwiseProgram {
  const key = [penalty.decoupledWeightDecay, penalty.l1 > 0, isNesterov].join();
  const known = directionPrograms.get(key) ?? makeDirectionProgram(penalty, isNesterov);
  directionPrograms.set(key, known);
  return known;
}

function makeDirectionProgram(penalty: PenaltySettings, isNesterov: boolean): ElementwiseProgram {
  const { gradient } = penalisedTerms(penalty, 2);
  const [beta, share] = [scalar(0), scalar(1)];
  const momentum = add(mul(beta, input(2)), mul(share, gradient));
  const direction = isNesterov ? add(mul(share, gradient), mul(beta, momentum)) : momentum;
  const numScalars = 2 + penaltyScalars(penalty, 0).length;
  return elementwiseProgram("muonDirection", ["f32", "f32", "f32"], [momentum, direction], numScalars);
}

/**
 * Muon for matrices, AdamW for everything else. For a matrix [R, C] (a kernel [out, in, h, w] counts as [out, in * h * w]):
 *
 *   m = momentum * m + (1 - momentum) * g; d = m (nesterov: (1 - momentum) * g + momentum * m)
 *   p *= 1 - learningRate * weightDecay; p -= learningRate * sqrt(max(1, R / C)) * orthogonalise(d)
 *
 * @numerics f32; the norm in f64; products in the order of the matmul kernel.
 * @throws {ValueError} E_VALUE for a setting out of range, for "muon" on fewer than two dims, and for no parameters.
 * @source Jordan et al. 2024, Muon: An optimizer for hidden layers in neural networks. Deviation: f32 where theirs is bf16.
 */
export class Muon extends Optimizer<MuonSettings> {
  constructor(parameters: ParametersOrGroups<MuonSettings>, options: MuonOptions = {}) {
    const { learningRate = 0.02, ...own } = options;
    super("Muon", parameters, {
      learningRate,
      own,
      defaults: {
        ...noPenalty,
        decoupledWeightDecay: true,
        method: "auto",
        momentum: 0.95,
        nesterov: true,
        numIterations: 5,
        adamWLearningRateScale: 0.015,
        betas: [0.9, 0.95],
        eps: 1e-10,
      },
      stateOf: (settings, parameter) => (isMuon(settings, parameter) ? [{ name: "momentum" }] : adamState),
      check: assertSettings,
    });
  }

  protected override updateParameter(slot: ParameterSlot<MuonSettings>, grad: Tensor, learningRate: number) {
    const { parameter, settings } = slot;
    if (!isMuon(settings, parameter)) {
      return super.updateParameter(slot, grad, learningRate * settings.adamWLearningRateScale);
    }
    moveMatrix(slot, grad, learningRate);
    return [];
  }

  /** AdamW's part. */
  protected override update(settings: MuonSettings, learningRate: number) {
    return { rule: adamRule, scalars: adamScalars(settings, learningRate, this.numSteps) };
  }
}

function isMuon({ method }: MuonSettings, parameter: Tensor): boolean {
  if (method !== "muon") return method === "auto" && parameter.shape.length >= 2;
  if (parameter.shape.length >= 2) return true;
  throw new ValueError(
    `Muon: a parameter of shape ${formatShape(parameter.shape)} has method "muon"; it must have two or more dims. Use "auto" or "adamW".`,
    { shape: parameter.shape },
  );
}

function moveMatrix(
  { parameter, state, settings }: ParameterSlot<MuonSettings>,
  grad: Tensor,
  learningRate: number,
): void {
  if (parameter.size === 0) return;
  const { backend, shape } = parameter;
  const momentum = state[0]!;
  const { momentum: beta, nesterov, numIterations, weightDecay, decoupledWeightDecay } = settings;
  const [rows, columns] = [shape[0]!, parameter.size / shape[0]!];
  const direction = untracked(() => Tensor.allocate(backend, shape, "f32", "exact"));
  try {
    const scalars = [beta, 1 - beta, ...penaltyScalars(settings, learningRate)];
    const program = directionProgram(settings, nesterov);
    backend.elementwise(program, [parameter, grad, momentum], scalars, [momentum, direction]);
    orthogonalise(backend, matrixOf(direction, rows, columns), numIterations);
    const shrink = decoupledWeightDecay ? 1 - learningRate * weightDecay : 1;
    const rate = learningRate * Math.sqrt(Math.max(1, rows / columns));
    move(backend, parameter, direction, [shrink, rate]);
  } finally {
    direction.dispose();
  }
  momentum.storage.version++;
  parameter.storage.version++;
}

function move(backend: Backend, parameter: Tensor, direction: Tensor, scalars: readonly number[]): void {
  backend.elementwise(moveProgram, [parameter, direction], scalars, [parameter]);
}

function matrixOf({ buffer, offset }: Tensor, rows: number, columns: number): TensorView {
  return { buffer, offset, shape: [rows, columns], strides: [columns, 1], dtype: "f32" };
}

function assertSettings({ method, momentum, numIterations, betas, eps, adamWLearningRateScale }: MuonSettings): void {
  if (!["auto", "muon", "adamW"].includes(method)) {
    throw new ValueError(`Muon: method is "${method}"; it must be "auto", "muon" or "adamW".`, { method });
  }
  assertFraction("Muon", "momentum", momentum);
  if (!Number.isInteger(numIterations) || numIterations < 1) {
    throw new ValueError(`Muon: numIterations is ${numIterations}; it must be a whole number of at least 1.`, {
      numIterations,
    });
  }
  assertNumber("Muon", "adamWLearningRateScale", adamWLearningRateScale);
  assertBetas("Muon", betas);
  assertNumber("Muon", "eps", eps);
}
