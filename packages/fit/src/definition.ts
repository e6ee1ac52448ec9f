/** @file What `compile` takes: a network, a loss, an optimizer, and where the module that defines them lies. */
import { type LossSum, losses, type nn, optim, type schedules, type Tensor } from "@lockstep/core";
import { FitError } from "./fit-error.js";
import { type FitMetrics, measuredMetrics } from "./fit-metrics.js";

/** Loss of a batch: its sum over the samples, and how many they were. Core's losses have this form. */
export type FitLoss = (outputs: Tensor, targets: Tensor) => LossSum;

/** Losses by name. Targets of crossEntropy are labels (i32), of binaryCrossEntropy 0 and 1, of hinge -1 and 1. */
export const namedLosses = {
  crossEntropy: losses.crossEntropy as FitLoss,
  binaryCrossEntropy: losses.binaryCrossEntropyWithLogits as FitLoss,
  mse: losses.mseLoss as FitLoss,
  mae: losses.l1Loss as FitLoss,
  huber: losses.huberLoss as FitLoss,
  hinge: losses.hingeLoss as FitLoss,
} as const;

/** Optimizers by name, with their defaults. */
export const namedOptimizers = {
  sgd: optim.Sgd,
  rmsprop: optim.RmsProp,
  adagrad: optim.Adagrad,
  adadelta: optim.Adadelta,
  adam: optim.Adam,
  adamw: optim.AdamW,
  adamax: optim.Adamax,
  nadam: optim.Nadam,
  lion: optim.Lion,
} as const;

export type LossName = keyof typeof namedLosses;
export type OptimizerName = keyof typeof namedOptimizers;

/** How long a fit is, for schedules. */
export interface Horizon {
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  readonly learningRate: number;
}

/** A tensor where there is one input, a record where there are several. */
export type ModelInputs = Tensor | Readonly<Record<string, Tensor>>;

/**
 * Everything about a model that is code. It must give the same result wherever it runs (L1): randomness only from core's scoped
 * generator, mathematics only from core.
 */
export interface FitDefinition<I extends ModelInputs = Tensor, M extends nn.Module = nn.Module> {
  /** Names run directories. Default "model". */
  readonly name?: string;
  /**
   * `import.meta.url` of the module whose default export is this compiled model. Worker processes import it; without it `fit` runs in
   * this process only.
   */
  readonly module?: string;
  /** The export that is this model, where it is not the default one. */
  readonly exportName?: string;
  /** Called in the scope of the seed. */
  model(): M;
  /** Outputs of a batch. Default: `model.forward(inputs)`. */
  forward?(model: M, inputs: I): Tensor;
  readonly loss: LossName | FitLoss;
  /** "i32" when targets are labels; known for losses given by name and for core's cross-entropy. Default "f32". */
  readonly targetDtype?: "f32" | "i32";
  /** Default "adamw". */
  readonly optimizer?: OptimizerName | ((model: M) => optim.Optimizer);
  /** Default 1e-3. */
  readonly learningRate?: number;
  /** Default: constant. */
  schedule?(horizon: Horizon): schedules.Schedule;
  /** Changes the inputs of training batches, with draws of the current generator: the same for every number of workers. */
  augment?(inputs: I): I;
  /** What is measured on held-out samples after every epoch, and by `evaluate`. */
  readonly metrics?: FitMetrics;
  /** Gradients are scaled down to this global norm; 0, the default: never. */
  readonly maxGradNorm?: number;
}

const definitionNames = {
  name: true,
  module: true,
  exportName: true,
  model: true,
  forward: true,
  loss: true,
  targetDtype: true,
  optimizer: true,
  learningRate: true,
  schedule: true,
  augment: true,
  metrics: true,
  maxGradNorm: true,
} as const satisfies Record<keyof FitDefinition, true>;

/** @throws {FitError} E_FIT_DEFINITION naming what is missing or of the wrong kind. */
export function assertDefinition(definition: FitDefinition<never, never>): void {
  const refuse = (what: string, advice: string): never => {
    throw new FitError("E_FIT_DEFINITION", `compile: ${what}; ${advice}`);
  };
  if (typeof definition !== "object" || definition === null) {
    refuse(`the definition is ${definition}`, "it must be an object, { model, loss, ... }.");
  }
  for (const key of Object.keys(definition)) {
    if (!Object.hasOwn(definitionNames, key)) {
      refuse(`there is no ${key}`, `a definition has ${Object.keys(definitionNames).join(", ")}.`);
    }
  }
  for (const key of ["forward", "schedule", "augment"] as const) {
    if (definition[key] !== undefined && typeof definition[key] !== "function") {
      refuse(`${key} is ${JSON.stringify(definition[key])}`, "it must be a function.");
    }
  }
  const { name, loss, optimizer, learningRate } = definition as unknown as FitDefinition;
  if (name !== undefined && !/^[\w.-]{1,64}$/.test(name)) {
    refuse(`name is ${JSON.stringify(name)}`, `it must be 1 to 64 letters, digits, "-", "_" or ".".`);
  }
  if (typeof definition.model !== "function") {
    refuse(`model is ${typeof definition.model}`, "it must be a function that makes the network: () => new Net().");
  }
  if (typeof loss !== "function" && !(loss in namedLosses)) {
    refuse(
      `loss is ${JSON.stringify(loss)}`,
      `it must be one of ${Object.keys(namedLosses).join(", ")}, or a function.`,
    );
  }
  if (optimizer !== undefined && typeof optimizer !== "function" && !(optimizer in namedOptimizers)) {
    refuse(
      `optimizer is ${JSON.stringify(optimizer)}`,
      `it must be one of ${Object.keys(namedOptimizers).join(", ")}, or a function.`,
    );
  }
  if (learningRate !== undefined && !(learningRate >= 0 && Number.isFinite(learningRate))) {
    refuse(`learningRate is ${learningRate}`, "it must be a finite number of at least 0.");
  }
  measuredMetrics(definition.metrics);
}

/** The loss as a function. */
export function lossFunctionOf({ loss }: Pick<FitDefinition, "loss">): FitLoss {
  return typeof loss === "function" ? loss : namedLosses[loss];
}

/** What targets are converted to. */
export function targetDtypeOf({ loss, targetDtype }: Pick<FitDefinition, "loss" | "targetDtype">): "f32" | "i32" {
  if (targetDtype !== undefined) return targetDtype;
  return loss === "crossEntropy" || loss === losses.crossEntropy ? "i32" : "f32";
}
