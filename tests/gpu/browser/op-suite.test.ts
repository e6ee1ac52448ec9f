/** @file Every op on navigator.gpu, in a page of a headless Chromium: kernels and gradients against f64 references. */
import { type OpSuite, opSuite } from "@lockstep/core/testing";
import { createWebGpuBackend } from "@lockstep/gpu-backend";
import { afterAll, test } from "vitest";

const suite: OpSuite = opSuite({
  createBackend: () => createWebGpuBackend(navigator.gpu, { allowSoftware: true }),
});
afterAll(() => suite.dispose());
for (const { name, run } of suite.cases) test(name, run);
