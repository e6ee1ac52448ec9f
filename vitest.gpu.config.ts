/** The tests that need WebGPU, alone: npm run test:gpu. The project "browser" is there where a Chromium is. */
import { playwright } from "@vitest/browser-playwright";
import { defineConfig, mergeConfig } from "vitest/config";
import { findChromium } from "./tools/gpu/find-chromium.mjs";
import base from "./vitest.config.js";

const { projects: _ordinary, ...shared } = base.test ?? {};
const chromium = findChromium();

const node = {
  extends: true as const,
  test: {
    name: "node",
    include: ["packages/gpu-backend/src/**/*.test.ts", "tests/gpu/*.test.ts"],
    testTimeout: 120_000,
  },
};

const browser = {
  extends: true as const,
  // The two headers let a page share memory between threads.
  server: {
    headers: {
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
    },
  },
  test: {
    name: "browser",
    include: ["tests/gpu/browser/*.test.ts"],
    testTimeout: 120_000,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      instances: [{ browser: "chromium" as const }],
      provider: playwright({
        launchOptions: {
          ...(chromium === undefined ? {} : { executablePath: chromium }),
          args: ["--no-sandbox", "--disable-dev-shm-usage", "--enable-unsafe-webgpu"],
        },
      }),
    },
  },
};

export default mergeConfig(
  { ...base, test: shared },
  defineConfig({
    test: { fileParallelism: false, projects: chromium === undefined ? [node] : [node, browser] },
  }),
);
