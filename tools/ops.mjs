/**
 * @file `npm run ops [-- --require-gpu | --cpu-only]`: the table of ops with what proves each, on the CPU and on WebGPU in Node and in a browser.
 * Status 1 when something that must be there is missing; with --require-gpu the columns of WebGPU must be.
 *
 * Nothing in it is written down by hand: ops come from the registry, kernels and gradients are run here on their samples, hashes are the
 * committed ones, and the golden tests are run with every op they execute traced.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { goldenFiles } from "./ops/golden-files.mjs";
import { gpuColumns } from "./ops/gpu-columns.mjs";
import { formatOpTable, opTable } from "./ops/op-table.mjs";
import { traceFolder } from "./ops/trace-folder.mjs";
import { cleanEnvironment, ensureBuilt, root } from "./workspace.mjs";

const { values: flags } = parseArgs({
  options: { "require-gpu": { type: "boolean" }, "cpu-only": { type: "boolean" } },
});
ensureBuilt();
const load = (path) => import(pathToFileURL(join(root, "packages/core/dist", path)).href);
const { createCpuBackend } = await load("index.js");
const { opRegistry, opSuite } = await load("testing/index.js");

const hashes = JSON.parse(readFileSync(join(root, "packages/core/testdata/op-hashes.json"), "utf8"));
const files = goldenFiles();
const outdated = files.filter(({ isCurrent }) => !isCurrent).map(({ name }) => name);
const table = opTable({
  ops: opRegistry,
  outcomes: await runSuite(),
  hashes,
  golden: traceGolden(),
  gpu: flags["cpu-only"] ? {} : gpuColumns(),
  isGpuRequired: flags["require-gpu"] ?? false,
});
console.log(formatOpTable(table));
const origins = [...new Set(files.map(({ torch }) => `PyTorch ${torch}`))].join(", ");
console.log(`golden files (${origins}): ${files.map(({ name }) => name).join(", ")}`);
if (outdated.length > 0)
  console.log(`not written by their scripts as they are now: ${outdated.join(", ")}; run npm run golden`);
process.exitCode = table.missing.length === 0 && outdated.length === 0 ? 0 : 1;

/** Kernels against references and gradients against central differences, on one thread. */
async function runSuite() {
  const suite = opSuite({ createBackend: createCpuBackend });
  const wanted = new Set(["values", "vjp", "no gradient"]);
  const outcomes = [];
  for (const { op, sample, check, run } of suite.cases) {
    if (!wanted.has(check)) continue;
    try {
      await run();
      outcomes.push({ op, sample, check });
    } catch (error) {
      outcomes.push({ op, sample, check, error });
    }
  }
  await suite.dispose();
  return outcomes;
}

/** Op name -> in how many golden tests it ran. Stops when one of them fails: nothing counts then. */
function traceGolden() {
  rmSync(traceFolder, { recursive: true, force: true });
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const config = join(root, "tools", "ops", "vitest.config.mjs");
  const { VITEST: _worker, ...env } = cleanEnvironment();
  const result = spawnSync(process.execPath, [vitest, "run", "--config", config], { cwd: root, env, encoding: "utf8" });
  if (result.status !== 0 || !existsSync(traceFolder)) {
    console.error(
      `ops: the golden tests ended with status ${result.status}; they must pass.\n${result.stdout}${result.stderr}`,
    );
    process.exit(1);
  }
  const counts = {};
  for (const file of readdirSync(traceFolder)) {
    for (const ops of Object.values(JSON.parse(readFileSync(join(traceFolder, file), "utf8")))) {
      for (const op of ops) counts[op] = (counts[op] ?? 0) + 1;
    }
  }
  return counts;
}
