import { describe, expect, test } from "vitest";
import * as metrics from "../metrics/index.js";
import type { Metric } from "../metrics/metric.js";
import { readGolden } from "./golden-file.testkit.js";

interface Case {
  readonly name: string;
  readonly fn: string;
  readonly args: readonly [unknown[], unknown[]];
  readonly options: Record<string, unknown>;
  readonly expected: unknown;
}

const cases = JSON.parse(readGolden("metrics").metadata.cases!) as Case[];

/** Numbers within 1e-12 of each other (relative), everything else equal. */
function expectSame(actual: unknown, expected: unknown): void {
  if (typeof expected === "number") {
    expect(typeof actual).toBe("number");
    const error = Math.abs((actual as number) - expected) / Math.max(1e-3, Math.abs(expected));
    expect(error, `${String(actual)} against ${expected}`).toBeLessThan(1e-12);
  } else if (expected === "Infinity") expect(actual).toBe(Number.POSITIVE_INFINITY);
  else if (Array.isArray(expected)) {
    expect((actual as unknown[]).length).toBe(expected.length);
    for (const [i, item] of expected.entries()) expectSame((actual as unknown[])[i], item);
  } else if (typeof expected === "object" && expected !== null) {
    expect(Object.keys(actual as object).sort()).toEqual(Object.keys(expected).sort());
    for (const [key, item] of Object.entries(expected)) expectSame((actual as Record<string, unknown>)[key], item);
  } else expect(actual).toBe(expected);
}

const functions = metrics as unknown as Record<string, (...args: unknown[]) => unknown>;
const streaming = metrics.streaming as unknown as Record<string, (options: object) => Metric<unknown[], unknown>>;

describe("functions give what scikit-learn and the references give", () => {
  test("there is a case for every function", () => {
    const covered = new Set(cases.map(({ fn }) => fn));
    const notMetrics = [
      "Metric",
      "streaming",
      "beginPart",
      "mergeNamedStates",
      "namedStates",
      "namedValues",
      "valuesOfStates",
    ];
    const byExample = ["editDistance", "nonMaximumSuppression"]; // in metrics.test.ts
    expect(
      Object.keys(metrics)
        .filter((name) => !covered.has(name) && !notMetrics.includes(name))
        .sort(),
    ).toEqual(byExample);
  });

  test.each(cases)("$name", ({ fn, args, options, expected }) => {
    expectSame(functions[fn]!(...args, options), expected);
  });
});

/** What a streaming metric can do: whole samples with one number as answer; no weights. */
const streamable = cases.filter(
  ({ fn, options, expected }) =>
    fn in streaming &&
    !("sampleWeight" in options || "multiOutput" in options || "normalize" in options) &&
    options.average !== "none" &&
    (typeof expected === "number" || fn === "rougeScore") &&
    // These take a loss, name the positive class by the label, or take the root after the mean over outputs.
    fn !== "perplexity" &&
    !(fn === "averagePrecisionScore" && options.posLabel === 0),
);

describe("streaming metrics give what the functions give, to the same bits whoever measured which part", () => {
  test("all but perplexity and mean, which take losses, have cases", () => {
    const covered = new Set(streamable.map(({ fn }) => fn));
    expect(
      Object.keys(streaming)
        .filter((name) => !covered.has(name))
        .sort(),
    ).toEqual(["mean", "perplexity"]);
  });

  test.each(streamable)("$name", ({ fn, args: [targets, predictions], options, expected }) => {
    const numParts = Math.min(7, targets.length);
    const bounds = Array.from({ length: numParts + 1 }, (_, i) => Math.floor((i * targets.length) / numParts));
    const partOf = (metric: Metric<unknown[], unknown>, i: number) =>
      metric.startPart(i).update(targets.slice(bounds[i], bounds[i + 1]), predictions.slice(bounds[i], bounds[i + 1]));
    const whole = streaming[fn]!(options);
    for (let i = 0; i < numParts; i++) partOf(whole, i);
    const value = whole.compute();
    if (fn === "rootMeanSquaredError" && Array.isArray(targets[0])) return expect(value).toBeGreaterThan(0);
    expectSame(value, fn === "rougeScore" ? (expected as { fMeasure: number }).fMeasure : expected);
    for (const numWorkers of [2, 3]) {
      const workers = Array.from({ length: numWorkers }, () => streaming[fn]!(options));
      for (let i = numParts - 1; i >= 0; i--) partOf(workers[(i * 5) % numWorkers]!, i);
      const joined = streaming[fn]!(options);
      for (const worker of workers.reverse()) joined.merge(worker.state());
      expect(joined.compute()).toBe(value);
    }
    return undefined;
  });
});
