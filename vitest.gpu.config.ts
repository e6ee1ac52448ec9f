/** The tests that need WebGPU, alone: npm run test:gpu. */
import { defineConfig, mergeConfig } from "vitest/config";
import base from "./vitest.config.js";

const { projects: _ordinary, ...shared } = base.test ?? {};

export default mergeConfig(
  { ...base, test: shared },
  defineConfig({
    test: {
      include: ["packages/gpu-backend/src/**/*.test.ts", "tests/gpu/**/*.test.ts"],
      fileParallelism: false,
      testTimeout: 120_000,
    },
  }),
);
