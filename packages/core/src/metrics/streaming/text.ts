/** @file Streaming metrics of text. */
import {
  addBleuCounts,
  assertOrder,
  type BleuCounts,
  type BleuOptions,
  bleuCounts,
  bleuOf,
  type References,
} from "../bleu.js";
import { editCounts, errorRateOf } from "../edit-distance.js";
import { Metric } from "../metric.js";
import { type RougeKind, rougeOf } from "../rouge.js";
import { assertPairs, type Sentence, wordsOf } from "../text-inputs.js";
import { meanRule, ruleName } from "./rules.js";

type Texts = readonly (string | Sentence)[];

/** Streaming `bleuScore`. @shape update: references [N], hypotheses [N] @source See metrics.bleuScore. */
export function bleuScore(
  options: BleuOptions = {},
): Metric<[references: readonly References[], hypotheses: Texts], number> {
  const maxOrder = assertOrder("bleuScore", options.maxOrder);
  return new Metric({
    name: ruleName("bleuScore", options),
    mode: "max",
    measure: (references: readonly References[], hypotheses: Texts) => {
      assertPairs("bleuScore", references, hypotheses);
      const all = hypotheses
        .map((hypothesis, i) => bleuCounts(references[i]!, hypothesis, maxOrder))
        .reduce(addBleuCounts);
      const { matches, totals, hypothesisLength, referenceLength } = all;
      return {
        counts: [...matches, ...totals, hypothesisLength, referenceLength].map((count, key): [number, number] => [
          key,
          count,
        ]),
      };
    },
    value: ({ counts }) => {
      const list = (from: number): number[] => Array.from({ length: maxOrder }, (_, n) => counts.get(from + n)!);
      const all: BleuCounts = {
        matches: list(0),
        totals: list(maxOrder),
        hypothesisLength: counts.get(2 * maxOrder)!,
        referenceLength: counts.get(2 * maxOrder + 1)!,
      };
      return bleuOf("bleuScore", all, options);
    },
  });
}

/** Streaming `rougeScore`, its F. @shape update: references [N], hypotheses [N] @source See metrics.rougeScore. */
export function rougeScore(
  options: { readonly kind?: RougeKind } = {},
): Metric<[references: Texts, hypotheses: Texts], number> {
  const { kind = "rougeL" } = options;
  return new Metric(
    meanRule(ruleName("rougeScore", options), "max", (references: Texts, hypotheses: Texts) => {
      assertPairs("rougeScore", references, hypotheses);
      return hypotheses.map((hypothesis, i) => rougeOf("rougeScore", references[i]!, { hypothesis, kind }).fMeasure);
    }),
  );
}

function errorRate<Given extends string | Sentence>(where: string, split: (given: Given) => Sentence) {
  return new Metric<[references: readonly Given[], hypotheses: readonly Given[]], number>({
    name: where,
    mode: "min",
    measure: (references, hypotheses) => {
      assertPairs(where, references, hypotheses);
      const { edits, length } = editCounts(references.map(split), hypotheses.map(split));
      return {
        counts: [
          [0, edits],
          [1, length],
        ] as const,
      };
    },
    value: ({ counts }) => errorRateOf(where, { edits: counts.get(0)!, length: counts.get(1)! }),
  });
}

/** Streaming `wordErrorRate`. @shape update: references [N], hypotheses [N] @source See metrics.wordErrorRate. */
export function wordErrorRate(): Metric<[references: Texts, hypotheses: Texts], number> {
  return errorRate<string | Sentence>("wordErrorRate", wordsOf);
}

/** Streaming `characterErrorRate`. @shape update: references [N], hypotheses [N] @source See metrics.characterErrorRate. */
export function characterErrorRate(): Metric<[references: readonly string[], hypotheses: readonly string[]], number> {
  return errorRate<string>("characterErrorRate", (text) => [...text]);
}
