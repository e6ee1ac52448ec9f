/** @file Targets that a named loss cannot take, found before anything is trained and told by their row. */
import { losses } from "@lockstep/core";
import type { Column } from "./columns.js";
import { type FitDefinition, namedLosses } from "./definition.js";
import { FitError } from "./fit-error.js";

/** Targets of crossEntropy that are counted nowhere, as core has it. */
const ignored = -100;

interface Rule {
  readonly accepts: (value: number) => boolean;
  readonly must: string;
}

/**
 * @param numOutputs scores that the network gives a sample; undefined where that is not known
 * @throws {FitError} E_FIT_DATA with the first row whose target is out of range.
 */
export function assertTargetRange(
  where: string,
  loss: FitDefinition["loss"],
  { targets, numOutputs }: { readonly targets: Column; readonly numOutputs: number | undefined },
): void {
  const rule = ruleOf(loss, targets, numOutputs);
  const at = rule === undefined ? -1 : targets.data.findIndex((value) => !rule.accepts(value));
  if (rule === undefined || at < 0) return;
  const row = Math.floor(at / targets.shape.reduce((product, n) => product * n, 1));
  const value = targets.data[at]!;
  throw new FitError("E_FIT_DATA", `${where}: y: row ${row} holds ${value}; ${rule.must}`, { row, value, numOutputs });
}

function ruleOf(
  loss: FitDefinition["loss"],
  { data }: Column,
  numOutputs = Number.POSITIVE_INFINITY,
): Rule | undefined {
  const named = typeof loss === "string" ? namedLosses[loss] : loss;
  if (named === losses.crossEntropy && data instanceof Int32Array) {
    const range =
      numOutputs === Number.POSITIVE_INFINITY
        ? "labels must be 0, 1, 2, ..."
        : `the network has ${numOutputs} outputs, and labels must be in 0..${numOutputs - 1}`;
    return {
      accepts: (value) => value === ignored || (value >= 0 && value < numOutputs),
      must: `${range}, or ${ignored} where nothing is to be learned. Encode them (LabelEncoder), or give the network an output for each class.`,
    };
  }
  if (named === losses.binaryCrossEntropyWithLogits) {
    return { accepts: (value) => value >= 0 && value <= 1, must: "targets of binaryCrossEntropy must be in 0..1." };
  }
  if (named === losses.hingeLoss) {
    return { accepts: (value) => value === -1 || value === 1, must: "targets of hinge must be -1 or 1." };
  }
  return undefined;
}
