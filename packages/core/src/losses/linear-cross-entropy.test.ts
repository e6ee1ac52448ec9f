import { describe, expect, test } from "vitest";
import { createCpuBackend, linear, losses, scope, tensor, withBackend } from "../index.js";
import { createNodeCpuBackend } from "../node/index.js";
import { crossEntropyRows } from "../ops/index.js";
import { linearCrossEntropyOp } from "../ops/linear-cross-entropy.js";
import { logitChunks } from "../ops/logit-chunks.js";
import { Generator } from "../rng/generator.js";
import type { Tensor } from "../tensor/tensor.js";
import { expectClose } from "../testing/index.js";

const [N, C, V] = [37, 12, 29];

function normal(shape: readonly number[], seed: number): Tensor {
  const values = new Float32Array(shape.reduce((a, b) => a * b));
  new Generator(seed).fillNormal(values);
  return tensor(values, { shape, requiresGrad: true });
}

const targets = () =>
  tensor(
    Int32Array.from({ length: N }, (_, i) => (i % 5 === 3 ? -100 : (7 * i) % V)),
    { shape: [N] },
  );

/** Losses of the rows and the gradients of x, weight and bias under a cotangent that differs by row. */
function outcome(losses: (x: Tensor, weight: Tensor, bias: Tensor) => Tensor): Record<string, Float32Array> {
  return scope(() => {
    const [x, weight, bias] = [normal([N, C], 1), normal([V, C], 2), normal([V], 3)];
    const rows = losses(x, weight, bias);
    rows.backward({ cotangent: normal([N], 4).detach() });
    const [dx, dWeight, dBias] = [x, weight, bias].map(({ grad }) => grad!.dataSync());
    return { rows: rows.dataSync(), dx: dx!, dWeight: dWeight!, dBias: dBias! } as Record<string, Float32Array>;
  });
}

const unfused = () => outcome((x, weight, bias) => crossEntropyRows(linear(x, weight, bias), targets()).losses);
const inPieces = (rows: number, classes: number) =>
  outcome((x, weight, bias) => {
    const attrs = { ignoreIndex: -100, chunks: { rows, classes } };
    return linearCrossEntropyOp.apply([x, weight, targets(), bias], attrs)[0]!;
  });

describe("linearCrossEntropy", () => {
  test.each(["strict", "fused"] as const)(
    "pieces of rows have the bits of linear and crossEntropy, whatever their number: %s",
    (numeric) => {
      const backend = numeric === "strict" ? createCpuBackend() : createNodeCpuBackend({ numeric, threads: 3 });
      withBackend(backend, () => {
        const expected = unfused();
        for (const rows of [1, 3, 16, N]) {
          const { dBias, ...actual } = inPieces(rows, V);
          const { dBias: ofAll, ...others } = expected;
          expect(actual, `${rows} rows`).toEqual(others);
          expectClose(dBias!, ofAll!, { reductionLength: N, what: "the gradient of bias" });
        }
      });
      backend.dispose();
    },
  );

  test.each([1, 4, 28])("pieces of %i classes are within rounding", (classes) => {
    const expected = unfused();
    for (const [name, values] of Object.entries(inPieces(8, classes))) {
      expectClose(values, expected[name]!, { reductionLength: V, magnitude: 8, what: name });
    }
  });

  test("gives sum and weight of crossEntropy, of any leading dims", () => {
    const x = normal([2, 3, 4], 1);
    const weight = normal([5, 4], 2);
    const wanted = tensor([0, 4, -1, 2, -1, 3], { dtype: "i32" }).reshape([2, 3]);
    const { sum, weight: numKept } = losses.linearCrossEntropy(x, weight, wanted, { ignoreIndex: -1 });
    const expected = losses.crossEntropy(linear(x, weight), wanted, { ignoreIndex: -1 });
    expect([sum.itemSync(), numKept]).toEqual([expected.sum.itemSync(), 4]);
    sum.backward();
    expect(x.grad!.shape).toEqual([2, 3, 4]);
  });

  test("never holds all logits", () => {
    const backend = createCpuBackend();
    withBackend(backend, () => {
      const [numRows, numClasses] = [700, 60_000];
      const peak = () => backend.memory().peakBytes;
      const before = peak();
      scope(() => {
        const [x, weight] = [normal([numRows, 2], 1), normal([numClasses, 2], 2)];
        const wanted = tensor(new Int32Array(numRows).fill(9), { shape: [numRows] });
        losses.linearCrossEntropy(x, weight, wanted).sum.backward();
      });
      // Two pieces of 64 MiB at most, and what the kernels pack.
      expect(peak() - before).toBeLessThan(numRows * numClasses * 4);
    });
    backend.dispose();
  });

  test("the pieces are a function of the shape", () => {
    expect(logitChunks(1024, 50_257)).toEqual({ rows: 320, classes: 50_257 });
    expect(logitChunks(300, 50_257)).toEqual({ rows: 300, classes: 50_257 });
    expect(logitChunks(10, 1_000_000)).toEqual({ rows: 10, classes: 262_144 });
    expect(logitChunks(100, 1_000_000)).toEqual({ rows: 64, classes: 262_144 });
    expect(logitChunks(0, 7)).toEqual({ rows: 1, classes: 7 });
  });

  test.each([
    {
      args: () => [normal([2, 3], 1), normal([5, 4], 2), tensor([0, 1], { dtype: "i32" })] as const,
      code: "E_SHAPE",
      message:
        "linearCrossEntropy: x has 3 features (last dim), but weight is [5,4]; weight must be [classes, 3], with at least one class.",
    },
    {
      args: () => [normal([2, 3], 1), normal([5, 3], 2), tensor([0], { dtype: "i32" })] as const,
      code: "E_SHAPE",
      message: "linearCrossEntropy: x is [2,3] and targets [1]; targets must have the leading dims of x.",
    },
    {
      args: () => [normal([2, 3], 1), normal([5, 3], 2), tensor([0, 5], { dtype: "i32" })] as const,
      code: "E_TARGET_RANGE",
      message: "linearCrossEntropy: the target at position 1 is 5; it must be in 0..4 or -100 (ignored).",
    },
    {
      args: () => [normal([2, 3], 1), normal([5, 3], 2), tensor([0, 1])] as const,
      code: "E_DTYPE",
      message: 'linearCrossEntropy: targets are f32; they must be i32. Use cast("i32").',
    },
    {
      args: () => [normal([2, 3], 1), normal([0, 3], 2).detach(), tensor([0, 1], { dtype: "i32" })] as const,
      code: "E_SHAPE",
      message:
        "linearCrossEntropy: x has 3 features (last dim), but weight is [0,3]; weight must be [classes, 3], with at least one class.",
    },
  ])("says: $message", ({ args, code, message }) => {
    expect(() => losses.linearCrossEntropy(...args())).toThrow(expect.objectContaining({ code, message }));
  });

  test("refuses a bias of another length", () => {
    const bias = tensor([1, 2]);
    expect(() =>
      losses.linearCrossEntropy(normal([1, 3], 1), normal([5, 3], 2), tensor([0], { dtype: "i32" }), { bias }),
    ).toThrow(expect.objectContaining({ code: "E_SHAPE", fields: { bias: [2], weight: [5, 3] } }));
  });
});
