import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["lockstep-source"] },
  ssr: { resolve: { conditions: ["lockstep-source", "node", "import", "default"], externalConditions: ["node", "import", "default"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "apps/*/src/**/*.test.ts", "examples/*/**/*.test.ts", "tests/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    pool: "forks",
    testTimeout: 60_000,
  },
});
