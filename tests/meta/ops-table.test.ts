import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { opRegistry } from "@lockstep/core/testing";
import { expect, test } from "vitest";
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
    "op    kernel  gradient      golden  thread hash
    add   2/2     1/1           3       2/2
    less  1/1     none: a step  1       1/1

    2 ops, nothing missing"
  `);
});

test.each([
  [
    "a kernel that differs from its reference",
    { outcomes: [{ op: "add", sample: "a", check: "values", error: "x" }, ...outcomes.slice(1)] },
    ["add: kernel: 1/2"],
  ],
  [
    "an op without a checked gradient",
    { outcomes: outcomes.filter(({ check }) => check !== "vjp") },
    ["add: gradient: 0/0"],
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

test("npm run ops: every op of the registry has a kernel, a gradient or a reason, a PyTorch test and hashes", {
  timeout: 300_000,
}, () => {
  const { status, stdout } = spawnSync(process.execPath, [join(root, "tools", "ops.mjs")], { encoding: "utf8" });
  const [summary] = /^\d+ ops, (?:nothing missing|\d+ cells missing:)(?:\n {2}.*)*/m.exec(stdout) ?? [];
  expect(summary).toBe(`${opRegistry.length} ops, nothing missing`);
  expect(status).toBe(0);
});
