import { describe, expect, test } from "vitest";
import "../ops/tensor-methods.js";
import { Generator } from "../rng/generator.js";
import { randn, tensor, zeros } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";
import { expectClose, expectSameBits } from "../testing/expect-close.js";
import { type CtcOptions, ctcLoss } from "./ctc-loss.js";

const i32 = (values: number[] | number[][]) => tensor(values, { dtype: "i32" });
const random = (seed: number, shape: [number, number, number]) => randn(shape, new Generator(seed));

/** Every sequence of T classes, merged and without blanks: the definition, word by word. */
function lossByEnumeration(logProbs: readonly (readonly number[])[], target: readonly number[], blank: number): number {
  let total = 0;
  const visit = (t: number, path: readonly number[], logProb: number): void => {
    if (t === logProbs.length) {
      const read = path.filter((label, i) => label !== path[i - 1]).filter((label) => label !== blank);
      if (read.join() === target.join()) total += Math.exp(logProb);
      return;
    }
    logProbs[t]!.forEach((value, label) => {
      visit(t + 1, [...path, label], logProb + value);
    });
  };
  visit(0, [], 0);
  return -Math.log(total);
}

test.each([
  { target: [1], blank: 0 },
  { target: [1, 1], blank: 0 },
  { target: [2, 0, 2], blank: 1 },
  { target: [0, 1, 1], blank: 2 },
  { target: [], blank: 0 },
])("the loss of $target with blank $blank is that of all paths which read so", ({ target, blank }) => {
  const logProbs = random(3, [5, 1, 3]).logSoftmax();
  const rows = (logProbs.toArraySync() as number[][][]).map((frame) => frame[0]!);
  const targets = tensor(Int32Array.from(target), { shape: [1, target.length] });
  const { sum, weight } = ctcLoss(logProbs, targets, { blank });
  expectClose([sum.itemSync()], [lossByEnumeration(rows, target, blank)]);
  expect(weight).toBe(1);
});

describe("a batch", () => {
  const targets = i32([
    [1, 2, 2, 3],
    [4, 4, 0, 0],
    [3, 1, 2, 0],
  ]);
  const lengths = { inputLengths: [9, 5, 7], targetLengths: [4, 2, 3] };
  const gradientOf = (logits: Tensor, ids: Tensor, options: CtcOptions) => {
    const leaf = tensor(logits.dataSync(), { shape: logits.shape, requiresGrad: true });
    const { sum, weight } = ctcLoss(leaf.logSoftmax(), ids, options);
    sum.backward();
    return { sum: sum.itemSync(), weight, grad: leaf.grad! };
  };

  test("adds up over micro-batches: sums, weights and gradients", () => {
    const logits = random(7, [9, 3, 5]);
    const whole = gradientOf(logits, targets, lengths);
    const parts = [
      [0, 1],
      [1, 3],
    ].map(([from, to]) =>
      gradientOf(logits.narrow(1, from!, to! - from!).contiguous(), targets.narrow(0, from!, to! - from!), {
        inputLengths: lengths.inputLengths.slice(from, to),
        targetLengths: lengths.targetLengths.slice(from, to),
      }),
    );
    expectClose([parts[0]!.sum + parts[1]!.sum], [whole.sum]);
    expect(parts[0]!.weight + parts[1]!.weight).toBe(whole.weight);
    expectSameBits(parts[0]!.grad.dataSync(), whole.grad.narrow(1, 0, 1).contiguous().dataSync(), "row 0");
    expectSameBits(parts[1]!.grad.dataSync(), whole.grad.narrow(1, 1, 2).contiguous().dataSync(), "rows 1 and 2");
  });

  test("does not look at what lies behind a row's length, in frames or labels", () => {
    const logits = random(7, [9, 3, 5]);
    const changed = tensor(logits.dataSync(), { shape: [9, 3, 5] }).setAt([6, 1], -50);
    const other = i32([
      [1, 2, 2, 3],
      [4, 4, -7, 1000],
      [3, 1, 2, 0],
    ]);
    const [a, b] = [gradientOf(logits, targets, lengths), gradientOf(changed, other, lengths)];
    expect(b.sum).toBe(a.sum);
    expectSameBits(b.grad.dataSync(), a.grad.dataSync(), "gradient");
  });

  test("of one label a frame, or none, is cross-entropy", () => {
    const { sum } = ctcLoss(tensor([[[-1, -2, -4]], [[-3, -2, -0.5]]]), i32([[1, 2]]));
    expect(sum.itemSync()).toBe(2.5);
  });
});

test("the gradient by logits stays finite and adds up to 0 in each frame, for extreme logits and for 2,000 frames", () => {
  for (const [logits, numLabels] of [
    [random(5, [12, 2, 4]).mul(500), 3],
    [random(5, [2000, 1, 6]), 40],
  ] as const) {
    const leaf = tensor(logits.dataSync(), { shape: logits.shape, requiresGrad: true });
    const generator = new Generator(2);
    const [, B, C] = logits.shape as [number, number, number];
    const ids = Int32Array.from({ length: B * numLabels }, () => 1 + generator.integer(C - 1));
    const { sum } = ctcLoss(leaf.logSoftmax(), tensor(ids, { shape: [B, numLabels] }));
    sum.backward();
    expect(sum.itemSync()).toBeGreaterThan(100);
    expect(Number.isFinite(sum.itemSync())).toBe(true);
    const frames = leaf.grad!.sum(-1).dataSync();
    expectClose(frames, new Float32Array(frames.length));
    expect(leaf.grad!.abs().max().itemSync()).toBeGreaterThan(0.5);
  }
});

describe("a row that is too short for its target", () => {
  const short = () =>
    [
      zeros([3, 2, 4], { requiresGrad: true }),
      i32([
        [1, 1, 2],
        [1, 2, 3],
      ]),
    ] as const;

  test("is an error that says how many frames it needs", () => {
    const [logits, ids] = short();
    expect(() => ctcLoss(logits, ids)).toThrow(
      expect.objectContaining({
        code: "E_VALUE",
        fields: { row: 0, numFrames: 3, numLabels: 3, needed: 4 },
        message:
          "ctcLoss: row 0 has 3 frames, but its 3 labels need at least 4 (repeated ones a blank between them). Leave such rows out, give them more frames, or set zeroInfinity.",
      }),
    );
  });

  test("adds 0, and no gradient, with zeroInfinity, and is counted", () => {
    const [logits, ids] = short();
    const { sum, weight } = ctcLoss(logits.logSoftmax(), ids, { zeroInfinity: true });
    sum.backward();
    expectClose([sum.itemSync()], [3 * Math.log(4)]);
    expect(weight).toBe(2);
    expect(Array.from(logits.grad!.narrow(1, 0, 1).contiguous().dataSync()).every((x) => x === 0)).toBe(true);
    expect(logits.grad!.narrow(1, 1, 1).abs().sum().itemSync()).toBeGreaterThan(1);
  });
});

test("isPerLabel divides each row by its labels, and not by 0", () => {
  const logProbs = random(4, [5, 2, 3]).logSoftmax();
  const ids = i32([
    [1, 2],
    [1, 1],
  ]);
  const alone = [2, 0].map((length, b) =>
    ctcLoss(logProbs.narrow(1, b, 1), ids.narrow(0, b, 1), { targetLengths: [length] }).sum.itemSync(),
  );
  const { sum } = ctcLoss(logProbs, ids, { targetLengths: [2, 0], isPerLabel: true });
  expectClose([sum.itemSync()], [alone[0]! / 2 + alone[1]!]);
});

test("no rows give 0 of weight 0", () => {
  const { sum, weight } = ctcLoss(zeros([4, 0, 3]), zeros([0, 2], { dtype: "i32" }));
  expect([sum.itemSync() === 0, weight]).toEqual([true, 0]);
});

describe("refuses", () => {
  const x = () => zeros([4, 2, 3]);
  const ids = () =>
    i32([
      [1, 2],
      [2, 1],
    ]);
  test.each<[string, () => unknown, object]>([
    [
      "a label that is no class",
      () =>
        ctcLoss(
          x(),
          i32([
            [1, 2],
            [2, 3],
          ]),
        ),
      { code: "E_TARGET_RANGE", fields: { position: 3, value: 3, limit: 3 } },
    ],
    [
      "the blank as a label",
      () => ctcLoss(x(), ids(), { blank: 2 }),
      { code: "E_TARGET_RANGE", fields: { position: 1, value: 2, limit: 3 } },
    ],
    [
      "a negative label",
      () =>
        ctcLoss(
          x(),
          i32([
            [-1, 2],
            [2, 1],
          ]),
        ),
      { code: "E_TARGET_RANGE", fields: { position: 0, value: -1, limit: 3 } },
    ],
    [
      "a blank that is no class",
      () => ctcLoss(x(), ids(), { blank: 3 }),
      { code: "E_VALUE", fields: { blank: 3, numClasses: 3 } },
    ],
    [
      "more frames than there are",
      () => ctcLoss(x(), ids(), { inputLengths: [4, 5] }),
      { code: "E_VALUE", fields: { row: 1, value: 5, limit: 4 } },
    ],
    [
      "a negative length",
      () => ctcLoss(x(), ids(), { targetLengths: [-1, 2] }),
      { code: "E_VALUE", fields: { row: 0, value: -1, limit: 2 } },
    ],
    [
      "lengths of another number",
      () => ctcLoss(x(), ids(), { inputLengths: [4] }),
      { code: "E_SHAPE", fields: { inputLengths: [1] } },
    ],
    ["lengths that are f32", () => ctcLoss(x(), ids(), { targetLengths: tensor([1, 2]) }), { code: "E_DTYPE" }],
    ["targets that are f32", () => ctcLoss(x(), zeros([2, 2])), { code: "E_DTYPE" }],
    ["targets of another batch", () => ctcLoss(x(), i32([[1, 2]])), { code: "E_SHAPE" }],
    ["probabilities of two dims", () => ctcLoss(zeros([4, 3]), ids()), { code: "E_SHAPE" }],
  ])("%s", (_, run, expected) => {
    const { fields, ...rest } = expected as { fields?: object };
    const wanted = fields === undefined ? rest : { ...rest, fields: expect.objectContaining(fields) };
    expect(run).toThrow(expect.objectContaining(wanted));
  });
});
