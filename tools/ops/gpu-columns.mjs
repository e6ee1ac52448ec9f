/**
 * @file The columns of WebGPU: the op suite as `npm run test:gpu` runs it, in Node on a driver and in a page of Chromium, values and gradients
 * alone. Installs nothing: a column that cannot be filled says what is missing.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { findInstalledDriver } from "../gpu/drivers.mjs";
import { cleanEnvironment, root } from "../workspace.mjs";

const columns = {
  "webgpu node": {
    project: "node",
    file: "packages/gpu-backend/src/op-suite.test.ts",
    drivers: ["lavapipe", "swiftshader"],
  },
  "webgpu browser": { project: "browser", file: "tests/gpu/browser/op-suite.test.ts", drivers: ["chromium"] },
};

/** Column -> `{ outcomes }` of its cases, or `{ reason }` why it was not run. */
export function gpuColumns() {
  return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, columnOf(column)]));
}

function columnOf({ project, file, drivers }) {
  const found = drivers.map((name) => ({ name, ...findInstalledDriver(name) }));
  const usable = found.find(({ reason }) => reason === undefined);
  if (usable === undefined) return { reason: found.map(({ name, reason }) => `${name}: ${reason}`).join("; ") };
  const results = join(root, ".lockstep", `ops-${project}.json`);
  mkdirSync(join(root, ".lockstep"), { recursive: true });
  rmSync(results, { force: true });
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const flags = [
    "--config",
    "vitest.gpu.config.ts",
    "--project",
    project,
    "--testNamePattern",
    ": (values|vjp|no gradient)$",
  ];
  const output = ["--reporter=json", `--outputFile.json=${results}`];
  const { VITEST: _worker, ...env } = cleanEnvironment();
  const { stderr } = spawnSync(process.execPath, [vitest, "run", ...flags, ...output, file], {
    cwd: root,
    env: { ...env, ...usable.env, LOCKSTEP_REQUIRE_GPU: "1" },
    encoding: "utf8",
  });
  const outcomes = outcomesIn(results);
  return outcomes.length > 0
    ? { driver: usable.name, outcomes }
    : { reason: `no case ran on ${usable.name}: ${stderr.slice(-500)}` };
}

/** One outcome for each case that ran. */
function outcomesIn(path) {
  let report;
  try {
    report = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return [];
  }
  return report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === "passed" || status === "failed")
    .map(({ title, status, failureMessages }) => {
      const [op, ...rest] = title.split(": ");
      const check = rest.pop();
      const outcome = { op, sample: rest.join(": "), check };
      return status === "passed" ? outcome : { ...outcome, error: failureMessages.join("\n") };
    });
}
