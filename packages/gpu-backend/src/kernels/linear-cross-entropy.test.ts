/** @file linearCrossEntropy where the logits are more than a binding holds. */
import { type Backend, createCpuBackend, linear, losses, scope, tensor, withBackend } from "@lockstep/core";
import { expect, test } from "vitest";
import { createTestBackend, describeGpu } from "../testing.testkit.js";
import { largestError, randomFloats } from "./kernel-run.testkit.js";

describeGpu("linearCrossEntropy on WebGPU", () => {
  /** GPT-2's vocabulary: 71 MB of logits, where a binding holds 67. */
  const [numRows, numClasses, numFeatures] = [352, 50_257, 3];
  const maxBindingBytes = 2 ** 26;

  function operands() {
    const leaf = (shape: readonly [number, number], seed: number) =>
      tensor(randomFloats(shape[0] * shape[1], seed), { shape, requiresGrad: true });
    const wanted = Int32Array.from({ length: numRows }, (_, i) => (i % 7 === 0 ? -100 : (i * 7919) % numClasses));
    const [x, weight] = [leaf([numRows, numFeatures], 1), leaf([numClasses, numFeatures], 2)];
    return { x, weight, targets: tensor(wanted, { shape: [numRows] }) };
  }

  async function outcome(backend: Backend): Promise<ArrayLike<number>[]> {
    const reads = withBackend(backend, () =>
      scope(() => {
        const { x, weight, targets } = operands();
        const { sum } = losses.linearCrossEntropy(x, weight, targets);
        sum.backward();
        return { all: [sum, x.grad!, weight.grad!].map((found) => found.data()) };
      }),
    );
    return Promise.all(reads.all);
  }

  test("logits larger than a binding are refused whole, and give the CPU's numbers in pieces", async () => {
    const gpu = await createTestBackend({ maxBindingBytes });
    const refused = () =>
      withBackend(gpu, () =>
        scope(() => {
          const { x, weight, targets } = operands();
          losses.crossEntropy(linear(x, weight), targets);
        }),
      );
    expect(refused).toThrowError(
      `linear of [352,3], [50257,3] to [352,50257]: webgpu: one tensor of 70761856 bytes was asked for, and this adapter binds at most ${maxBindingBytes} bytes at a time. Use smaller micro-batches, split the tensor, or, where it holds logits, take losses.linearCrossEntropy.`,
    );
    const cpu = createCpuBackend();
    const [[loss, dx, dWeight], expected] = [await outcome(gpu), await outcome(cpu)] as const;
    // The mean over rows, in nats.
    expect(Math.abs(loss![0]! - expected[0]![0]!) / numRows).toBeLessThan(1e-5);
    expect(largestError(dx!, expected[1]!)).toBeLessThan(1e-5);
    expect(largestError(dWeight!, expected[2]!)).toBeLessThan(1e-5);
    // Two pieces of 64 MiB, and the weight with its gradient: not three tensors of logits, as without pieces.
    expect(gpu.memory().peakBytes).toBeLessThan(2 * 2 ** 26 + 4 * numClasses * numFeatures * 4);
    gpu.dispose();
    cpu.dispose();
  });
});
