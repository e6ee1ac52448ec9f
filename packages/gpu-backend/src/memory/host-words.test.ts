/** @file What the host still knows of integers on the device: ranges are checked and ignored targets counted, or it says that it cannot know. */
import { embedding, losses, type Tensor, tensor, withBackend } from "@lockstep/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestBackend, describeGpu } from "../testing.testkit.js";
import type { WebGpuBackend } from "../webgpu-backend.js";

describeGpu("integers that the host wrote", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await createTestBackend();
  });
  afterAll(() => backend.dispose());
  const on = <T>(fn: () => T): T => withBackend(backend, fn);
  const integers = (...values: number[]): Tensor => tensor(values, { dtype: "i32" });
  const logits = (rows: number): Tensor => tensor(new Float32Array(rows * 3), { shape: [rows, 3] });

  test("ignored targets are counted, in slices and in copies of slices, too", () => {
    expect(on(() => losses.crossEntropy(logits(4), integers(-100, 1, 2, -100)).weight)).toBe(2);
    const rows = on(() => tensor([-100, 1, 2, 0, -100, 1], { shape: [2, 3], dtype: "i32" }));
    // A column, which the loss copies on the device before it looks.
    expect(
      on(() => losses.crossEntropy(logits(4).reshape([2, 2, 3]), rows.slice([null, { start: 0, stop: 2 }])).weight),
    ).toBe(2);
    expect(
      on(() => losses.crossEntropy(logits(2), rows.slice([null, { start: 0, stop: 1 }]).reshape([2])).weight),
    ).toBe(1);
  });

  test("ids out of range are refused before a kernel trusts them", () => {
    expect(() => on(() => losses.crossEntropy(logits(2), integers(0, 3)))).toThrowError(/position 1 is 3/);
    const table = on(() => logits(4));
    expect(() => on(() => embedding(table, integers(1, 4)))).toThrowError(/position 1 is 4; it must be in 0..3/);
  });

  test("what a kernel computed is not known: how many are ignored is asked of the user instead of guessed", () => {
    const targets = on(() => integers(0, 1).add(integers(1, 0)));
    expect(() => on(() => losses.crossEntropy(logits(2), targets))).toThrowError(
      /how many indices are -100 \(ignored\) must be known at once/,
    );
    // Nothing can be ignored here, so nothing must be known.
    const table = on(() => logits(4));
    expect(on(() => embedding(table, targets)).shape).toEqual([2, 3]);
  });

  test("what a kernel writes over is forgotten", () => {
    const targets = on(() => integers(-100, 1));
    expect(on(() => losses.crossEntropy(logits(2), targets).weight)).toBe(1);
    backend.kernels.fill(targets, 2);
    expect(() => on(() => losses.crossEntropy(logits(2), targets))).toThrowError(/must be known at once/);
  });
});
