/** @file Learning rates that fall at once: every so many steps, or at given steps. */
import { ValueError } from "../errors.js";
import { pow } from "../scalar-math/pow.js";
import { assertFactor, assertRate, assertStep, assertSteps, type Schedule } from "./schedule.js";

export interface StepDecayOptions {
  readonly from: number;
  /** Steps between two falls. */
  readonly every: number;
  /** Multiplies the rate at each fall. In (0, 1]. Default 0.1. */
  readonly factor?: number;
}

/**
 * Falls every so many steps: from * factor ^ floor(step / every).
 *
 * @shape step -> learning rate (f64)
 * @throws {ValueError} E_VALUE when from is negative, every no whole number of at least 1 or factor outside (0, 1].
 * @source Same values as torch.optim.lr_scheduler.StepLR.
 * @example
 * schedules.stepDecay({ from: 1, every: 10, factor: 0.5 })(25); // => 0.25
 */
export function stepDecay({ from, every, factor = 0.1 }: StepDecayOptions): Schedule {
  assertRate("stepDecay", "from", from);
  assertSteps("stepDecay", "every", every);
  assertFactor("stepDecay", factor);
  return (step) => {
    assertStep("stepDecay", step);
    return from * pow(factor, Math.floor(step / every));
  };
}

export interface MultiStepOptions {
  readonly from: number;
  /** Steps at which the rate falls, ascending. */
  readonly milestones: readonly number[];
  /** Multiplies the rate at each milestone. In (0, 1]. Default 0.1. */
  readonly factor?: number;
}

/**
 * Falls at given steps: from * factor ^ (number of milestones at or before step).
 *
 * @shape step -> learning rate (f64)
 * @throws {ValueError} E_VALUE when from is negative, factor outside (0, 1], or milestones are not ascending whole numbers.
 * @source Same values as torch.optim.lr_scheduler.MultiStepLR.
 * @example
 * schedules.multiStep({ from: 1, milestones: [2, 4], factor: 0.5 })(3); // => 0.5
 */
export function multiStep({ from, milestones, factor = 0.1 }: MultiStepOptions): Schedule {
  assertRate("multiStep", "from", from);
  assertFactor("multiStep", factor);
  assertMilestones("multiStep", milestones);
  const passed = [...milestones];
  return (step) => {
    assertStep("multiStep", step);
    return from * pow(factor, passed.filter((milestone) => milestone <= step).length);
  };
}

/** @throws {ValueError} E_VALUE unless they are whole numbers of at least 0, each above the one before. */
export function assertMilestones(where: string, milestones: readonly number[]): void {
  if (milestones.every((m, i) => Number.isInteger(m) && m >= 0 && (i === 0 || m > milestones[i - 1]!))) return;
  throw new ValueError(
    `${where}: milestones are [${milestones.join(", ")}]; they must be whole numbers of at least 0, each above the one before. Sort them.`,
    { milestones },
  );
}
