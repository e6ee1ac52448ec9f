/** @file The golden tests alone, with every op they execute written down. */
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { root } from "../workspace.mjs";

export default defineConfig({
  root,
  resolve: { conditions: ["lockstep-source"] },
  ssr: { resolve: { conditions: ["lockstep-source", "node", "import", "default"] } },
  test: {
    pool: "forks",
    testTimeout: 60_000,
    include: ["packages/core/src/golden/*.test.ts"],
    setupFiles: [join(root, "tools", "ops", "trace-ops.mjs")],
  },
});
