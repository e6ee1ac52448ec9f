/** @file Every op on the WebGPU backend: kernels against f64 references, gradients, layouts, leaks; and a second backend for the same bits. */
import { type OpSuite, opSuite } from "@lockstep/core/testing";
import { afterAll, test } from "vitest";
import { createTestBackend, describeGpu } from "./testing.testkit.js";

describeGpu("every op on WebGPU", () => {
  const suite: OpSuite = opSuite({
    createBackend: () => createTestBackend(),
    twins: { again: () => createTestBackend() },
  });
  afterAll(() => suite.dispose());
  for (const { name, run } of suite.cases) test(name, run);
});
