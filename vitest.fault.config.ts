/** The fault tests alone, those with real processes one file at a time and after the others: npm run test:fault. */
import { defineConfig, mergeConfig } from "vitest/config";
import base from "./vitest.config.js";

const { projects: _ordinary, ...shared } = base.test ?? {};

export default mergeConfig(
  { ...base, test: shared },
  defineConfig({
    test: {
      projects: [
        {
          extends: true,
          test: {
            name: "fault",
            include: ["tests/fault/**/*.test.ts"],
            exclude: ["**/*.process.test.ts"],
            testTimeout: 1_800_000,
            sequence: { groupOrder: 0 },
          },
        },
        {
          extends: true,
          test: {
            name: "fault-process",
            include: ["tests/fault/**/*.process.test.ts"],
            fileParallelism: false,
            sequence: { groupOrder: 1 },
          },
        },
      ],
    },
  }),
);
