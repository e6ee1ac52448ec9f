import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { opRegistry } from "@lockstep/core/testing";
import { describe, expect, test } from "vitest";
import { formatOpTable, type Outcome, opTable } from "../../tools/ops/op-table.mjs";
import { root } from "../../tools/workspace.mjs";

const ops = [
  { name: "add", notDifferentiable: undefined, samples: [{ name: "a" }, { name: "b" }] },
  { name: "less", notDifferentiable: "a step", samples: [{ name: "a" }] },
];
const outcomes: readonly Outcome[] = [
  { op: "add", sample: "a", check: "values" },
  { op: "add", sample: "b", check: "values" },
  { op: "add", sample: "a", check: "vjp" },
  { op: "less", sample: "a", check: "values" },
  { op: "less", sample: "a", check: "no gradient" },
];
const hashes = {
  strict: { "add: a": "1", "add: b": "2", "less: a": "3" },
  fused: { "add: a": "1", "add: b": "2", "less: a": "3" },
};
const sound = { ops, outcomes, hashes, golden: { add: 3, less: 1 }, excused: {} };

test("a table in which everything is there says so", () => {
  const table = opTable(sound);
  expect(table.missing).toEqual([]);
  expect(formatOpTable(table)).toMatchInlineSnapshot(`
    "op    cpu kernel  cpu gradient  golden  thread hash
    add   2/2         1/1           3       2/2
    less  1/1         none: a step  1       1/1

    2 ops, nothing missing"
  `);
});

test.each([
  [
    "a kernel that differs from its reference",
    { outcomes: [{ op: "add", sample: "a", check: "values", error: "x" }, ...outcomes.slice(1)] },
    ["add: cpu kernel: 1/2"],
  ],
  [
    "an op without a checked gradient",
    { outcomes: outcomes.filter(({ check }) => check !== "vjp") },
    ["add: cpu gradient: 0/0"],
  ],
  ["an op that never ran beside PyTorch", { golden: { add: 1 } }, ["less: golden: none"]],
  [
    "a sample without a hash in one class",
    { hashes: { ...hashes, fused: { "add: a": "1", "less: a": "3" } } },
    ["add: thread hash: 1/2"],
  ],
  ["no hashes at all", { hashes: {} }, ["add: thread hash: 2/2", "less: thread hash: 1/1"]],
  [
    "an excuse that is not needed",
    { excused: { add: "why not" } },
    ["add: golden: is excused, but has a golden test or is no op"],
  ],
] as const)("finds %s", (_, change, missing) => {
  expect(opTable({ ...sound, ...change }).missing).toEqual(missing);
});

test("an excuse with a reason stands in the cell", () => {
  const table = opTable({ ...sound, golden: { add: 1 }, excused: { less: "it is random" } });
  expect(table.missing).toEqual([]);
  expect(table.rows[1]!.cells.golden!.text).toBe("none: it is random");
});

describe("columns of WebGPU", () => {
  const node = { driver: "lavapipe", outcomes };

  test("count values and gradients of each op", () => {
    const table = opTable({ ...sound, gpu: { "webgpu node": node }, isGpuRequired: true });
    expect(table.missing).toEqual([]);
    expect(table.rows.map(({ cells }) => cells["webgpu node"]!.text)).toEqual(["3/3", "2/2"]);
    const failed = outcomes.map((outcome) => (outcome.check === "vjp" ? { ...outcome, error: "x" } : outcome));
    expect(opTable({ ...sound, gpu: { "webgpu node": { ...node, outcomes: failed } } }).missing).toEqual([
      "add: webgpu node: 2/3",
    ]);
  });

  test("that were not run say why, and are missing where they are required", () => {
    const gpu = { "webgpu node": node, "webgpu browser": { reason: "chromium: it is not installed" } };
    const table = opTable({ ...sound, gpu });
    expect(table.missing).toEqual([]);
    expect(formatOpTable(table)).toMatchInlineSnapshot(`
      "op    cpu kernel  cpu gradient  golden  thread hash  webgpu node  webgpu browser
      add   2/2         1/1           3       2/2          3/3          not run
      less  1/1         none: a step  1       1/1          2/2          not run

      webgpu node: on lavapipe
      webgpu browser: not run: chromium: it is not installed
      2 ops, nothing missing"
    `);
    expect(opTable({ ...sound, gpu, isGpuRequired: true }).missing).toEqual([
      "webgpu browser: not run: chromium: it is not installed",
    ]);
  });
});

test("npm run ops: every op of the registry has a kernel, a gradient or a reason, a PyTorch test and hashes", {
  timeout: 300_000,
}, () => {
  const { status, stdout } = spawnSync(process.execPath, [join(root, "tools", "ops.mjs"), "--cpu-only"], {
    encoding: "utf8",
  });
  const [summary] = /^\d+ ops, (?:nothing missing|\d+ cells missing:)(?:\n {2}.*)*/m.exec(stdout) ?? [];
  expect(summary).toBe(`${opRegistry.length} ops, nothing missing`);
  expect(status).toBe(0);
});
