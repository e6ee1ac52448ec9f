/** @file Every loss that is additive over samples: its value against its formula in f64, its gradient against central differences, its parts. */
import { describe, expect, test } from "vitest";
import "../ops/tensor-methods.js";
import { Generator } from "../rng/generator.js";
import { tensor } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";
import { expectClose } from "../testing/expect-close.js";
import type { LossSum } from "./index.js";
import * as losses from "./index.js";

type Row = readonly number[];

interface LossCase {
  readonly run: (...inputs: Tensor[]) => LossSum;
  /** One sample: the rows of all inputs. */
  readonly formula: (...rows: Row[]) => number;
  /** What a sample weighs. Default 1. */
  readonly weight?: (...rows: Row[]) => number;
  readonly inputs: readonly Kind[];
}

/** What a row holds: 4 numbers, or one label for all of it. */
type Kind = "normal" | "positive" | "probabilities" | "bits" | "signs" | "sign" | "class" | "classOrNone";

const width = 4;
const numSamples = 7;
const { log, exp, abs, max, sqrt } = Math;

function rowOf(kind: Kind, generator: Generator, sample: number): number[] {
  const draw = (value: () => number, count = width) => Array.from({ length: count }, value);
  switch (kind) {
    case "normal":
      return draw(() => Math.fround(generator.normal()));
    case "positive":
      return draw(() => Math.fround(0.2 + generator.uniform()));
    case "probabilities": {
      const row = draw(() => 0.1 + generator.uniform());
      return row.map((value) => Math.fround(value / row.reduce((a, b) => a + b)));
    }
    case "bits":
      return draw(() => generator.integer(2));
    case "signs":
      return draw(() => 2 * generator.integer(2) - 1);
    case "sign":
      return [sample % 2 === 0 ? 1 : -1];
    case "class":
      return [generator.integer(width)];
    case "classOrNone":
      return [sample % 3 === 1 ? -100 : generator.integer(width)];
    default:
      return kind satisfies never;
  }
}

const isLabel = (kind: Kind) => kind === "sign" || kind === "class" || kind === "classOrNone";
const isFloat = (kind: Kind) => kind === "normal" || kind === "positive" || kind === "probabilities";
const total = (row: Row, term: (value: number, i: number) => number) => row.reduce((all, x, i) => all + term(x, i), 0);
const logSumExp = (row: Row) => log(total(row, exp));
const norm = (row: Row, other: Row, eps = 0) => sqrt(total(row, (x, i) => (x - other[i]! + eps) ** 2));
const dot = (x: Row, y: Row) => total(x, (value, i) => value * y[i]!);
const classWeights = [0.5, 0, 2, 1.5];
const perElement = () => width;

const cases: Readonly<Record<string, LossCase>> = {
  mseLoss: {
    run: losses.mseLoss,
    inputs: ["normal", "normal"],
    formula: (x, t) => total(x, (value, i) => (value - t[i]!) ** 2),
    weight: perElement,
  },
  l1Loss: {
    run: losses.l1Loss,
    inputs: ["normal", "normal"],
    formula: (x, t) => total(x, (value, i) => abs(value - t[i]!)),
    weight: perElement,
  },
  huberLoss: {
    run: (x, t) => losses.huberLoss(x, t, { delta: 0.6 }),
    inputs: ["normal", "normal"],
    formula: (x, t) =>
      total(x, (value, i) => {
        const d = abs(value - t[i]!);
        return d <= 0.6 ? d ** 2 / 2 : 0.6 * (d - 0.3);
      }),
    weight: perElement,
  },
  crossEntropy: {
    run: (x, t) => losses.crossEntropy(x, t, { classWeights, labelSmoothing: 0.2 }),
    inputs: ["normal", "classOrNone"],
    formula: (x, [t]) => {
      if (t === -100) return 0;
      const logProbs = x.map((value) => value - logSumExp(x));
      return -0.8 * classWeights[t!]! * logProbs[t!]! - (0.2 / width) * dot(classWeights, logProbs);
    },
    weight: (_, [t]) => (t === -100 ? 0 : classWeights[t!]!),
  },
  "crossEntropy of probabilities": {
    run: (x, t) => losses.crossEntropy(x, t, { labelSmoothing: 0.1 }),
    inputs: ["normal", "probabilities"],
    formula: (x, t) => -total(x, (value, i) => (0.9 * t[i]! + 0.1 / width) * (value - logSumExp(x))),
  },
  nllLoss: {
    run: (x, t) => losses.nllLoss(x, t, { classWeights }),
    inputs: ["normal", "classOrNone"],
    formula: (x, [t]) => (t === -100 ? 0 : -classWeights[t!]! * x[t!]!),
    weight: (_, [t]) => (t === -100 ? 0 : classWeights[t!]!),
  },
  klDivergence: {
    run: (x, t) => losses.klDivergence(x, t),
    inputs: ["normal", "probabilities"],
    formula: (x, t) => total(t, (value, i) => value * (log(value) - x[i]!)),
  },
  focalLoss: {
    run: (x, t) => losses.focalLoss(x, t, { gamma: 1.5, classWeights }),
    inputs: ["normal", "classOrNone"],
    formula: (x, [t]) => {
      if (t === -100) return 0;
      const c = logSumExp(x) - x[t!]!;
      return classWeights[t!]! * (1 - exp(-c)) ** 1.5 * c;
    },
    weight: (_, [t]) => (t === -100 ? 0 : 1),
  },
  sigmoidFocalLoss: {
    run: (x, t) => losses.sigmoidFocalLoss(x, t),
    inputs: ["normal", "bits"],
    formula: (x, t) =>
      total(x, (value, i) => {
        const p = 1 / (1 + exp(t[i] === 1 ? -value : value));
        return -(t[i] === 1 ? 0.25 : 0.75) * (1 - p) ** 2 * log(p);
      }),
    weight: perElement,
  },
  binaryCrossEntropyWithLogits: {
    run: (x, t) => losses.binaryCrossEntropyWithLogits(x, t, { posWeight: [1, 2, 3, 0.5] }),
    inputs: ["normal", "bits"],
    formula: (x, t) =>
      total(x, (value, i) => (t[i] === 1 ? [1, 2, 3, 0.5][i]! * log(1 + exp(-value)) : log(1 + exp(value)))),
    weight: perElement,
  },
  binaryCrossEntropy: {
    run: losses.binaryCrossEntropy,
    inputs: ["probabilities", "probabilities"],
    formula: (p, t) => -total(p, (value, i) => t[i]! * log(value) + (1 - t[i]!) * log(1 - value)),
    weight: perElement,
  },
  hingeLoss: {
    run: (x, y) => losses.hingeLoss(x, y, { isSquared: true }),
    inputs: ["normal", "signs"],
    formula: (x, y) => total(x, (value, i) => max(0, 1 - value * y[i]!) ** 2),
    weight: perElement,
  },
  softMarginLoss: {
    run: losses.softMarginLoss,
    inputs: ["normal", "signs"],
    formula: (x, y) => total(x, (value, i) => log(1 + exp(-value * y[i]!))),
    weight: perElement,
  },
  hingeEmbeddingLoss: {
    run: (x, y) => losses.hingeEmbeddingLoss(x, y, { margin: 0.7 }),
    inputs: ["positive", "signs"],
    formula: (x, y) => total(x, (value, i) => (y[i] === 1 ? value : max(0, 0.7 - value))),
    weight: perElement,
  },
  marginRankingLoss: {
    run: (x, y, labels) => losses.marginRankingLoss(x, y, labels, { margin: 0.3 }),
    inputs: ["normal", "normal", "signs"],
    formula: (x, y, labels) => total(x, (value, i) => max(0, 0.3 - labels[i]! * (value - y[i]!))),
    weight: perElement,
  },
  multiMarginLoss: {
    run: (x, t) => losses.multiMarginLoss(x, t, { margin: 0.8, p: 2, classWeights }),
    inputs: ["normal", "class"],
    formula: (x, [t]) =>
      (classWeights[t!]! / width) * total(x, (value, i) => (i === t ? 0 : max(0, 0.8 - x[t!]! + value) ** 2)),
  },
  cosineEmbeddingLoss: {
    run: (x, y, labels) => losses.cosineEmbeddingLoss(x, y, labels, { margin: -0.5 }),
    inputs: ["normal", "normal", "sign"],
    formula: (x, y, [label]) => {
      const cosine = dot(x, y) / sqrt(dot(x, x) * dot(y, y));
      return label === 1 ? 1 - cosine : max(0, cosine + 0.5);
    },
  },
  contrastiveLoss: {
    run: (x, y, labels) => losses.contrastiveLoss(x, y, labels, { margin: 3 }),
    inputs: ["normal", "normal", "sign"],
    formula: (x, y, [label]) => (label === 1 ? norm(x, y) : max(0, 3 - norm(x, y))) ** 2 / 2,
  },
  tripletMarginLoss: {
    run: (a, p, n) => losses.tripletMarginLoss(a, p, n, { margin: 1.5, swap: true }),
    inputs: ["normal", "normal", "normal"],
    formula: (a, p, n) => max(0, 1.5 + norm(a, p, 1e-6) - Math.min(norm(a, n, 1e-6), norm(p, n, 1e-6))),
  },
  diceLoss: {
    run: (p, t) => losses.diceLoss(p.reshape([-1, 2, 2]), t.reshape([-1, 2, 2]), { smooth: 0.5 }),
    inputs: ["probabilities", "bits"],
    formula: (p, t) => {
      const one = (a: number, b: number) =>
        1 - (2 * (p[a]! * t[a]! + p[b]! * t[b]!) + 0.5) / (p[a]! + p[b]! + t[a]! + t[b]! + 0.5);
      return one(0, 1) + one(2, 3);
    },
    weight: () => 2,
  },
  poissonNllLoss: {
    run: (x, t) => losses.poissonNllLoss(x, t, { logInput: false }),
    inputs: ["positive", "bits"],
    formula: (x, t) => total(x, (value, i) => value - t[i]! * log(value + 1e-8)),
    weight: perElement,
  },
  gaussianNllLoss: {
    run: (x, t, v) => losses.gaussianNllLoss(x, t, v, { full: true }),
    inputs: ["normal", "normal", "positive"],
    formula: (x, t, v) => total(x, (value, i) => (log(2 * Math.PI * v[i]!) + (value - t[i]!) ** 2 / v[i]!) / 2),
    weight: perElement,
  },
};

interface Prepared {
  readonly rows: readonly (readonly number[][])[];
  readonly make: (from: number, to: number) => Tensor[];
}

function prepare({ inputs }: LossCase): Prepared {
  const generator = new Generator(5);
  const rows = inputs.map((kind) => Array.from({ length: numSamples }, (_, i) => rowOf(kind, generator, i)));
  const make = (from: number, to: number) =>
    inputs.map((kind, i) => {
      const part = rows[i]!.slice(from, to).flat();
      const dtype = isFloat(kind) || kind === "bits" ? "f32" : "i32";
      const shape = isLabel(kind) ? [to - from] : [to - from, width];
      const values = dtype === "f32" ? Float32Array.from(part) : Int32Array.from(part);
      return tensor(values, { shape, requiresGrad: isFloat(kind) });
    });
  return { rows, make };
}

const sampleRows = (rows: Prepared["rows"], i: number) => rows.map((input) => input[i]!);

describe.each(Object.entries(cases))("%s", (_, lossCase) => {
  const { rows, make } = prepare(lossCase);
  const samples = Array.from({ length: numSamples }, (_, i) => sampleRows(rows, i));
  const weightOf = lossCase.weight ?? (() => 1);

  test("is its formula, summed over samples, and weighs what they weigh", () => {
    const { sum, weight } = lossCase.run(...make(0, numSamples));
    expectClose([sum.itemSync()], [samples.reduce((all, sample) => all + lossCase.formula(...sample), 0)], {
      reductionLength: numSamples * width,
    });
    expect(weight).toBe(samples.reduce((all, sample) => all + weightOf(...sample), 0));
  });

  test("has the gradient of its formula", () => {
    const inputs = make(0, numSamples);
    lossCase.run(...inputs).sum.backward();
    lossCase.inputs.forEach((kind, position) => {
      if (!isFloat(kind)) return;
      const expected = samples.flatMap((sample) =>
        sample[position]!.map((value, i) => {
          const at = (x: number) => lossCase.formula(...sample.with(position, sample[position]!.with(i, x)));
          return (at(value + 1e-5) - at(value - 1e-5)) / 2e-5;
        }),
      );
      expectClose(inputs[position]!.grad!.dataSync(), expected, { reductionLength: width, magnitude: 10 });
    });
  });

  test("adds up over micro-batches: sums, weights and gradients", () => {
    const whole = make(0, numSamples);
    const { sum, weight } = lossCase.run(...whole);
    sum.backward();
    const parts = [make(0, 1), make(1, 4), make(4, numSamples)];
    const found = parts.map((part) => lossCase.run(...part));
    for (const part of found) if (part.sum.requiresGrad) part.sum.backward();
    const add = (a: number, b: number) => a + b;
    expectClose([found.map((part) => part.sum.itemSync()).reduce(add)], [sum.itemSync()], { reductionLength: 28 });
    expect(found.map((part) => part.weight).reduce(add)).toBeCloseTo(weight, 12);
    lossCase.inputs.forEach((kind, position) => {
      if (!isFloat(kind)) return;
      const grads = parts.flatMap((part) => Array.from(part[position]!.grad!.dataSync()));
      expectClose(grads, whole[position]!.grad!.dataSync(), { magnitude: 10 });
    });
  });

  test("is 0 of weight 0 for no samples", () => {
    const { sum, weight } = lossCase.run(...make(0, 0));
    expect([sum.itemSync() === 0, weight]).toEqual([true, 0]);
  });
});
