/**
 * @file What all optimizers have: parameter groups, a learning rate that a schedule sets, and state that can be saved to the bit.
 *
 * State tensors are made with the optimizer, so that memory can be planned before the first step; frozen parameters have none. An update
 * writes parameters and state in place, element by element, by one fused element-wise kernel: strict rounding on every CPU (L2).
 */
import { FormatError, StateError, ValueError } from "../errors.js";
import { Parameter } from "../nn/parameter.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertNumber } from "./assert-settings.js";
import { assertKnownSettings, type ParametersOrGroups, type ResolvedGroup, resolveGroups } from "./parameter-group.js";
import { type InPlaceRun, runInPlace } from "./run-in-place.js";
import { StateMemory } from "./state-tensors.js";
import { type PenaltySettings, penaltyScalars, type UpdateRule, updateProgram } from "./update-program.js";

/** Settings that every group has. */
export interface CommonSettings extends PenaltySettings {
  /** The group's learning rate is `learningRate` times this. */
  readonly learningRateScale: number;
}

/** Everything of an optimizer's state that is no tensor. Plain JSON. */
export interface OptimizerCounters {
  /** Updates made. */
  readonly numSteps: number;
}

/** A state tensor of one parameter, of its shape. */
export interface StateTensor {
  readonly name: string;
  /** What it holds before the first update. Default 0. */
  readonly initial?: number;
}

/** What an optimizer says of itself. */
export interface OptimizerTraits<Settings extends CommonSettings> {
  readonly learningRate: number;
  readonly defaults: Settings;
  /** Settings as the user gave them, without the learning rate. */
  readonly own: Partial<Settings>;
  /** State of a parameter under these settings. */
  readonly stateOf: (settings: Settings, parameter: Tensor) => readonly StateTensor[];
  /** Throws for settings of a group that are out of range. */
  readonly check?: (settings: Settings) => void;
}

/** A parameter with what belongs to it. */
export interface ParameterSlot<Settings> {
  readonly parameter: Tensor;
  readonly settings: Settings;
  readonly stateNames: readonly string[];
  readonly state: readonly Tensor[];
}

export const noPenalty = { learningRateScale: 1, weightDecay: 0, decoupledWeightDecay: false, l1: 0 } as const;

export abstract class Optimizer<Settings extends CommonSettings = CommonSettings> {
  /** Set it before `step` from a schedule. */
  learningRate: number;
  readonly groups: readonly ResolvedGroup<Settings>[];
  #numSteps = 0;
  /** By the number of the parameter; undefined where it was frozen. */
  readonly #slots: readonly (ParameterSlot<Settings> | undefined)[];
  readonly #parameters: readonly Tensor[];
  readonly #where: string;
  readonly #ofStep = new Map<Settings, Pick<InPlaceRun, "program" | "scalars"> & { readonly learningRate: number }>();

  protected constructor(where: string, given: ParametersOrGroups<Settings>, traits: OptimizerTraits<Settings>) {
    const { learningRate, defaults, own } = traits;
    assertNumber(where, "learningRate", learningRate);
    assertKnownSettings(where, own, defaults);
    this.#where = where;
    this.learningRate = learningRate;
    this.groups = resolveGroups(where, given, { learningRate, settings: { ...defaults, ...own } });
    for (const { settings } of this.groups) {
      for (const name of ["weightDecay", "l1", "learningRateScale"] as const) assertNumber(where, name, settings[name]);
      traits.check?.(settings);
    }
    this.#parameters = this.groups.flatMap(({ parameters }) => parameters);
    if (this.#parameters.every(isFrozen)) {
      throw new ValueError(
        `${where}: all ${this.#parameters.length} parameters are frozen; at least one must be trained. Set requiresGrad where it should be.`,
        { numParameters: this.#parameters.length },
      );
    }
    this.#slots = makeSlots(this.groups, traits);
  }

  /** Updates made so far. */
  get numSteps(): number {
    return this.#numSteps;
  }

  /** The group of this name. @throws {ValueError} E_VALUE naming the groups there are. */
  group(name: string): ResolvedGroup<Settings> {
    const found = this.groups.find((group) => group.name === name);
    if (found !== undefined) return found;
    const names = this.groups.flatMap((group) => (group.name === undefined ? [] : [group.name]));
    throw new ValueError(
      `${this.#where}: there is no group "${name}"; it must be one of [${names.join(", ")}]. Give groups a name where they are made.`,
      { name, names },
    );
  }

  /**
   * Updates every parameter that has a gradient, in place.
   *
   * @throws {StateError} E_STATE, before anything is changed, when a parameter that was frozen as the optimizer was made has a gradient.
   */
  step(): void {
    for (const [i, parameter] of this.#parameters.entries()) {
      if (parameter.grad === undefined || this.#slots[i] !== undefined) continue;
      throw new StateError(
        `${this.#where}.step: parameter ${i} of shape ${formatShape(parameter.shape)} was frozen when the optimizer was made and has a gradient now; it must have had state from the start. Make a new optimizer after unfreezing.`,
        { parameter: i, shape: parameter.shape },
      );
    }
    this.#numSteps++;
    this.#ofStep.clear();
    const runs: InPlaceRun[] = [];
    for (const slot of this.#slots) {
      const grad = slot?.parameter.grad;
      if (slot === undefined || grad === undefined) continue;
      runs.push(...this.updateParameter(slot, grad, this.learningRate * slot.settings.learningRateScale));
    }
    runInPlace(runs);
  }

  /** Frees the gradients of all parameters. */
  zeroGrad(): void {
    for (const parameter of this.#parameters) {
      parameter.grad?.dispose();
      parameter.grad = undefined;
    }
  }

  /** State tensors in a fixed order, named `<number of the parameter>.<name>`. They stay the optimizer's. */
  *namedState(): Iterable<readonly [string, Tensor]> {
    for (const [i, slot] of this.#slots.entries()) {
      for (const [j, tensor] of (slot?.state ?? []).entries()) yield [`${i}.${slot!.stateNames[j]!}`, tensor];
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
    for (const slot of this.#slots) for (const tensor of slot?.state ?? []) tensor.dispose();
  }

  /** What moves one parameter, element by element. A subclass may move it otherwise at once, and leave nothing to run. */
  protected updateParameter(slot: ParameterSlot<Settings>, grad: Tensor, learningRate: number): readonly InPlaceRun[] {
    const { parameter, state, settings } = slot;
    const { program, scalars } = this.#updateOf(settings, learningRate);
    return [{ program, scalars, inputs: [parameter, grad, ...state], written: [parameter, ...state] }];
  }

  /** The kernel of this step and its scalars, which all parameters of a group share. */
  #updateOf(settings: Settings, learningRate: number): Pick<InPlaceRun, "program" | "scalars"> {
    const known = this.#ofStep.get(settings);
    if (known?.learningRate === learningRate) return known;
    const { rule, scalars } = this.update(settings, learningRate);
    const made = {
      learningRate,
      program: updateProgram(rule, settings),
      scalars: [...scalars, ...penaltyScalars(settings, learningRate)],
    };
    this.#ofStep.set(settings, made);
    return made;
  }

  /** The rule of a group's next update and its scalars. */
  protected abstract update(
    settings: Settings,
    learningRate: number,
  ): { readonly rule: UpdateRule; readonly scalars: readonly number[] };
}

/** A Parameter that is not trained. Plain tensors are: their gradients are set by hand. */
export function isFrozen(parameter: Tensor): boolean {
  return parameter instanceof Parameter && !parameter.requiresGrad;
}

/** One for each parameter of all groups; undefined where it is frozen. */
function makeSlots<Settings extends CommonSettings>(
  groups: readonly ResolvedGroup<Settings>[],
  { stateOf }: OptimizerTraits<Settings>,
): (ParameterSlot<Settings> | undefined)[] {
  const planned = groups.flatMap(({ parameters, settings }) =>
    parameters.map((parameter) =>
      isFrozen(parameter) ? undefined : { parameter, settings, tensors: stateOf(settings, parameter) },
    ),
  );
  const numElements = planned.reduce((sum, slot) => sum + (slot?.tensors.length ?? 0) * (slot?.parameter.size ?? 0), 0);
  const memory = new StateMemory(numElements);
  const slots = planned.map((slot) => {
    if (slot === undefined) return undefined;
    const { parameter, settings, tensors } = slot;
    const state = tensors.map(({ initial = 0 }) => memory.allocate(parameter, initial));
    return { parameter, settings, state, stateNames: tensors.map(({ name }) => name) };
  });
  memory.close();
  return slots;
}
