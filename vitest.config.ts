import { defineConfig } from "vitest/config";

const exclude = ["**/node_modules/**", "**/dist/**"];

export default defineConfig({
  resolve: { conditions: ["lockstep-source"] },
  ssr: {
    resolve: {
      conditions: ["lockstep-source", "node", "import", "default"],
      externalConditions: ["node", "import", "default"],
    },
  },
  test: {
    pool: "forks",
    testTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["packages/*/src/**/*.test.ts", "apps/*/src/**/*.test.ts", "tests/**/*.test.ts"],
          // Faults in real processes take minutes: npm run test:fault.
          // Pages of a browser: npm run test:gpu.
          exclude: [...exclude, "tests/e2e/**", "tests/fault/**/*.process.test.ts", "tests/gpu/browser/**"],
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Real processes that share the machine's cores: one file at a time, after everything else.
        extends: true,
        test: {
          name: "process",
          include: [
            ...["tests/e2e/**/*.test.ts", "examples/*/**/*.test.ts"],
            // The shortest of the fault tests; the others run by npm run test:fault.
            ...["tests/fault/kill.process.test.ts", "tests/fault/coordinator-restart.process.test.ts"],
            "tests/fault/join.process.test.ts",
          ],
          exclude,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
