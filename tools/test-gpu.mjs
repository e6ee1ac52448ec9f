/**
 * @file `npm run test:gpu [-- --driver NAME ... -- FILTER ...]`: every test that needs WebGPU, on each driver: lavapipe and swiftshader, which
 * compute on the CPU and are installed here, "system", the machine's own, or "chromium", the pages of tests/gpu/browser in a browser without a
 * window. A missing driver is a failure.
 */
import { parseArgs } from "node:util";
import { findTestDriver } from "./gpu/drivers.mjs";
import { ensureBuilt, runTool } from "./workspace.mjs";

/**
 * Left out beside the driver that compiles slowest, for lavapipe shows the same: what a null device validates, each tile of a product, long attention beside
 * the op suite's, a thousand steps, the profile, and the longest run.
 */
const heavy = [
  "packages/gpu-backend/src/kernel-variants.test.ts",
  "packages/gpu-backend/src/kernels/gemm-tile.test.ts",
  "packages/gpu-backend/src/kernels/flash-attention.test.ts",
  "packages/gpu-backend/src/steady-state.test.ts",
  "tests/gpu/profile.process.test.ts",
];

const known = ["lavapipe", "swiftshader", "system", "chromium"];
const { values, positionals } = parseArgs({
  options: { driver: { type: "string", multiple: true }, help: { type: "boolean" } },
  allowPositionals: true,
});
const unknown = values.driver?.find((name) => !known.includes(name));
if (values.help || unknown !== undefined) {
  const usage = `usage: npm run test:gpu [-- --driver ${known.join("|")}] [FILTER ...]`;
  console.error(unknown === undefined ? usage : `test:gpu: "${unknown}" is no driver.\n${usage}`);
  process.exit(unknown === undefined ? 0 : 2);
}

ensureBuilt();
for (const name of values.driver ?? ["lavapipe", "swiftshader", "chromium"]) {
  const { env, reason } = findTestDriver(name);
  if (reason !== undefined) {
    console.error(`test:gpu: driver ${name}: ${reason}`);
    process.exitCode = 1;
    continue;
  }
  console.log(`test:gpu: driver ${name}`);
  const project = name === "chromium" ? "browser" : "node";
  const left = name === "swiftshader" ? heavy.flatMap((file) => ["--exclude", file]) : [];
  const args = ["run", "--config", "vitest.gpu.config.ts", "--project", project, ...left, ...positionals];
  const status = await runTool("vitest", args, { env: { ...env, LOCKSTEP_REQUIRE_GPU: "1" } });
  if (status !== 0) process.exitCode = 1;
}
