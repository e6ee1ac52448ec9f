/**
 * @file The kernel of one update: a rule, written for a parameter and its gradient, with weight decay and L1 in front of it.
 *
 *   coupled (L2):   g += weightDecay * p
 *   decoupled:      p *= 1 - learningRate * weightDecay
 *   L1:             g += l1 * sign(p), sign(0) = 0
 *
 * All optimizers share this file, so the penalties mean the same in each. They come after normalisation and clipping of the gradient.
 */
import { add, constant, type Expr, input, lt, mul, scalar, select } from "../expr/expr.js";
import { type ElementwiseProgram, elementwiseProgram } from "../expr/program.js";

/** What a rule sees of one element. */
export interface UpdateTerms {
  /** After decoupled decay. */
  readonly parameter: Expr;
  /** With coupled decay and L1. */
  readonly gradient: Expr;
  readonly state: readonly Expr[];
  readonly scalars: readonly Expr[];
}

/** How an optimizer moves one element. */
export interface UpdateRule {
  readonly name: string;
  readonly numState: number;
  /** Scalars of the rule itself; those of the penalties come on top. */
  readonly numScalars: number;
  /** The new parameter, then the new state. */
  readonly outputs: (terms: UpdateTerms) => readonly Expr[];
}

/** The penalties of a group. */
export interface PenaltySettings {
  readonly weightDecay: number;
  /** True: p *= 1 - learningRate * weightDecay; false: weightDecay * p is added to the gradient (L2). */
  readonly decoupledWeightDecay: boolean;
  /** l1 * sign(p) is added to the gradient; sign(0) is 0. */
  readonly l1: number;
}

const programs = new Map<string, ElementwiseProgram>();

/** The kernel of a rule under a group's penalties. Inputs: parameter, gradient, state; outputs: parameter, state. */
export function updateProgram(rule: UpdateRule, penalty: PenaltySettings): ElementwiseProgram {
  const name = `${rule.name}${penalty.decoupledWeightDecay ? "Decoupled" : ""}${penalty.l1 > 0 ? "L1" : ""}`;
  let program = programs.get(name);
  if (program === undefined) {
    const inputs = Array.from({ length: rule.numState + 2 }, () => "f32" as const);
    const outputs = rule.outputs({
      ...penalisedTerms(penalty, rule.numScalars),
      state: Array.from({ length: rule.numState }, (_, i) => input(i + 2)),
      scalars: Array.from({ length: rule.numScalars }, (_, i) => scalar(i)),
    });
    program = elementwiseProgram(name, inputs, outputs, rule.numScalars + penaltyScalars(penalty, 0).length);
    programs.set(name, program);
  }
  return program;
}

/** Parameter and gradient with the penalties, whose scalars follow `numScalars` others. */
export function penalisedTerms(
  penalty: PenaltySettings,
  numScalars: number,
): Pick<UpdateTerms, "parameter" | "gradient"> {
  const [parameter, gradient] = [input(0), input(1)];
  const decay = scalar(numScalars);
  const withL2 = penalty.decoupledWeightDecay ? gradient : add(gradient, mul(decay, parameter));
  return {
    parameter: penalty.decoupledWeightDecay ? mul(parameter, decay) : parameter,
    gradient: penalty.l1 > 0 ? add(withL2, mul(scalar(numScalars + 1), sign(parameter))) : withL2,
  };
}

/** Values of the penalties' scalars. */
export function penaltyScalars(penalty: PenaltySettings, learningRate: number): number[] {
  const { weightDecay, decoupledWeightDecay, l1 } = penalty;
  const decay = decoupledWeightDecay ? 1 - learningRate * weightDecay : weightDecay;
  return l1 > 0 ? [decay, l1] : [decay];
}

/** -1, 0 or 1; 0 for both zeros. */
export function sign(x: Expr): Expr {
  return select(lt(x, 0), constant(-1), select(lt(0, x), constant(1), constant(0)));
}
