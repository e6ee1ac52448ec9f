/**
 * @file What all optimizers have: parameter groups, a learning rate that a schedule sets, and state that can be saved to the bit.
 *
 * State tensors are made with the optimizer, zero, so that memory can be planned before the first step. An update writes parameters
 * and state in place, element by element, by one fused element-wise kernel: strict rounding on every CPU (L2).
 */
import type { Backend } from "../backend/backend.js";
import { FormatError, ValueError } from "../errors.js";
import type { ElementwiseProgram } from "../expr/program.js";
import { zerosLike } from "../tensor/create.js";
import { untracked } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { type ParametersOrGroups, type ResolvedGroup, resolveGroups } from "./parameter-group.js";

/** Settings that every group has. */
export interface CommonSettings {
  /** The group's learning rate is `learningRate` times this. */
  readonly learningRateScale: number;
  readonly weightDecay: number;
}

/** Everything of an optimizer's state that is no tensor. Plain JSON. */
export interface OptimizerCounters {
  /** Updates made. */
  readonly numSteps: number;
}

interface Slot<Settings> {
  readonly parameter: Tensor;
  readonly state: readonly Tensor[];
  readonly settings: Settings;
}

export abstract class Optimizer<Settings extends CommonSettings = CommonSettings> {
  /** Set it before `step` from a schedule. */
  learningRate: number;
  readonly groups: readonly ResolvedGroup<Settings>[];
  /** Names of the state tensors of each parameter. */
  protected readonly stateNames: readonly string[];
  #numSteps = 0;
  readonly #slots: readonly Slot<Settings>[];

  protected constructor(
    where: string,
    given: ParametersOrGroups<Settings>,
    options: { readonly learningRate: number; readonly defaults: Settings; readonly stateNames: readonly string[] },
  ) {
    assertNumber(where, "learningRate", options.learningRate);
    this.learningRate = options.learningRate;
    this.stateNames = options.stateNames;
    this.groups = resolveGroups(where, given, options.defaults);
    this.#slots = this.groups.flatMap(({ parameters, settings }) => {
      assertNumber(where, "weightDecay", settings.weightDecay);
      assertNumber(where, "learningRateScale", settings.learningRateScale);
      return parameters.map((parameter) => ({
        parameter,
        settings,
        state: options.stateNames.map(() => untracked(() => zerosLike(parameter))),
      }));
    });
  }

  /** Updates made so far. */
  get numSteps(): number {
    return this.#numSteps;
  }

  /** Updates every parameter that has a gradient, in place. */
  step(): void {
    this.#numSteps++;
    for (const { parameter, state, settings } of this.#slots) {
      const { grad } = parameter;
      if (grad === undefined) continue;
      const { program, scalars } = this.update(settings, this.learningRate * settings.learningRateScale);
      const written = [parameter, ...state];
      runInPlace(parameter.backend, program, { inputs: [parameter, grad, ...state], scalars, written });
    }
  }

  /** Frees the gradients of all parameters. */
  zeroGrad(): void {
    for (const { parameter } of this.#slots) {
      parameter.grad?.dispose();
      parameter.grad = undefined;
    }
  }

  /** State tensors in a fixed order, named `<number of the parameter>.<name>`. They stay the optimizer's. */
  *namedState(): Iterable<readonly [string, Tensor]> {
    for (const [i, { state }] of this.#slots.entries()) {
      for (const [j, tensor] of state.entries()) yield [`${i}.${this.stateNames[j]!}`, tensor];
    }
  }

  counters(): OptimizerCounters {
    return { numSteps: this.#numSteps };
  }

  /** @throws {FormatError} E_FORMAT when the value is not what `counters` gave. */
  restoreCounters(counters: unknown): void {
    const numSteps = (counters as Partial<OptimizerCounters> | null)?.numSteps;
    if (!Number.isSafeInteger(numSteps) || numSteps! < 0) {
      throw new FormatError(
        `optimizer: its counters are ${JSON.stringify(counters)}; they must be {"numSteps": a whole number}. The file is of another optimizer.`,
        { counters },
      );
    }
    this.#numSteps = numSteps!;
  }

  /** Frees the state. */
  dispose(): void {
    for (const { state } of this.#slots) for (const tensor of state) tensor.dispose();
  }

  /**
   * The kernel of one update and its scalars. Inputs are parameter, gradient, then the state tensors; outputs parameter, then state.
   */
  protected abstract update(
    settings: Settings,
    learningRate: number,
  ): { readonly program: ElementwiseProgram; readonly scalars: readonly number[] };
}

/** @throws {ValueError} E_VALUE unless `value` is finite and at least 0. */
export function assertNumber(where: string, name: string, value: number): void {
  if (Number.isFinite(value) && value >= 0) return;
  throw new ValueError(`${where}: ${name} is ${value}; it must be a finite number of at least 0.`, { [name]: value });
}

function runInPlace(
  backend: Backend,
  program: ElementwiseProgram,
  {
    inputs,
    scalars,
    written,
  }: { readonly inputs: readonly Tensor[]; readonly scalars: readonly number[]; readonly written: readonly Tensor[] },
): void {
  backend.elementwise(program, inputs, scalars, written);
  for (const { storage } of written) storage.version++;
}
