/** @file Schedules made of schedules. */
import { ValueError } from "../errors.js";
import { constant } from "./constant.js";
import { linear } from "./linear.js";
import { assertCount, assertRate, assertStep, assertSteps, type Schedule } from "./schedule.js";
import { assertMilestones } from "./step-decay.js";
import { warmup } from "./warmup.js";

/**
 * One schedule after another: schedule i from milestones[i - 1] on, each from its own step 0.
 *
 * @shape step -> learning rate (f64)
 * @param milestones first steps of the second and all later schedules, ascending: one less than there are schedules.
 * @throws {ValueError} E_VALUE when there is no schedule, or milestones are of another number or not ascending.
 * @source Same values as torch.optim.lr_scheduler.SequentialLR.
 * @example
 * schedules.sequential([schedules.constant(1), schedules.constant(2)], [3])(3); // => 2
 */
export function sequential(schedules: readonly Schedule[], milestones: readonly number[]): Schedule {
  assertMilestones("sequential", milestones);
  if (schedules.length === 0 || milestones.length !== schedules.length - 1) {
    throw new ValueError(
      `sequential: there are ${schedules.length} schedules and ${milestones.length} milestones; there must be one milestone between two schedules, and at least one schedule.`,
      { numSchedules: schedules.length, milestones },
    );
  }
  const begins = [0, ...milestones];
  return (step) => {
    assertStep("sequential", step);
    const at = begins.findLastIndex((begin) => begin <= step);
    return schedules[at]!(step - begins[at]!);
  };
}

/**
 * Schedules multiplied, step by step: the first gives rates, the others factors.
 *
 * @shape step -> learning rate (f64)
 * @throws {ValueError} E_VALUE when there is no schedule.
 * @source Same values as torch.optim.lr_scheduler.ChainedScheduler of schedulers with a closed form.
 * @example
 * schedules.chained(schedules.constant(0.5), schedules.linear({ from: 1, to: 0, steps: 2 }))(1); // => 0.25
 */
export function chained(...schedules: readonly Schedule[]): Schedule {
  if (schedules.length === 0) {
    throw new ValueError("chained: there is no schedule; there must be at least one.", {});
  }
  return (step) => {
    assertStep("chained", step);
    return schedules.slice(1).reduce((rate, schedule) => rate * schedule(step), schedules[0]!(step));
  };
}

export interface WarmupStableDecayOptions {
  readonly peak: number;
  /** Default 0: the rate at the end. */
  readonly to?: number;
  readonly warmupSteps: number;
  /** Steps at the peak, after the warm-up. */
  readonly stableSteps: number;
  /** Steps of the straight fall to `to`, at least 1. */
  readonly decaySteps: number;
}

/**
 * WSD: a warm-up, a plateau, a straight fall. A run can go on from any checkpoint of the plateau.
 *
 * @shape step -> learning rate (f64)
 * @throws {ValueError} E_VALUE when a rate is negative or not finite, or a number of steps is no whole number of at least 0 (decay: 1).
 * @source Hu et al. 2024, MiniCPM, section 4, with a straight fall. The warm-up is `warmup`'s.
 * @example
 * schedules.warmupStableDecay({ peak: 1, warmupSteps: 1, stableSteps: 2, decaySteps: 4 })(4); // => 0.75
 */
export function warmupStableDecay(options: WarmupStableDecayOptions): Schedule {
  const { peak, to = 0, warmupSteps, stableSteps, decaySteps } = options;
  assertRate("warmupStableDecay", "peak", peak);
  assertRate("warmupStableDecay", "to", to);
  assertCount("warmupStableDecay", "warmupSteps", warmupSteps);
  assertCount("warmupStableDecay", "stableSteps", stableSteps);
  assertSteps("warmupStableDecay", "decaySteps", decaySteps);
  const begin = warmupSteps + stableSteps;
  const rising = warmup(constant(peak), { warmupSteps });
  const falling = linear({ from: peak, to, steps: decaySteps });
  return (step) => {
    assertStep("warmupStableDecay", step);
    return step < begin ? rising(step) : falling(step - begin);
  };
}
