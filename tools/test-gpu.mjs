/**
 * @file `npm run test:gpu [-- --driver NAME ... -- FILTER ...]`: every test that needs WebGPU, on each driver: lavapipe and swiftshader, which
 * compute on the CPU and are installed here, or "system", the machine's own. A missing driver is a failure.
 */
import { parseArgs } from "node:util";
import { findDriver, installWebGpu } from "./gpu/drivers.mjs";
import { ensureBuilt, runTool } from "./workspace.mjs";

const known = ["lavapipe", "swiftshader", "system"];
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
const webGpu = installWebGpu();
if (webGpu.reason !== undefined) {
  console.error(`test:gpu: ${webGpu.reason}`);
  process.exit(1);
}
for (const name of values.driver ?? ["lavapipe", "swiftshader"]) {
  const { env, reason } = findDriver(name);
  if (reason !== undefined) {
    console.error(`test:gpu: driver ${name}: ${reason}`);
    process.exitCode = 1;
    continue;
  }
  console.log(`test:gpu: driver ${name}`);
  const own = {
    LOCKSTEP_WEBGPU: webGpu.folder,
    LOCKSTEP_REQUIRE_GPU: "1",
    XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? "/tmp",
  };
  const args = ["run", "--config", "vitest.gpu.config.ts", ...positionals];
  const status = await runTool("vitest", args, { env: { ...own, ...env } });
  if (status !== 0) process.exitCode = 1;
}
