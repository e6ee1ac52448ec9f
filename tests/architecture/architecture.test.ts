import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { checkArchitecture, type Finding, formatFinding } from "./rules.mjs";

const trees: string[] = [];

afterEach(() => {
  for (const tree of trees.splice(0)) rmSync(tree, { recursive: true });
});

/** A small tree in which every rule holds, plus the planted files. */
function plant(files: Record<string, string>): Finding[] {
  const root = mkdtempSync(join(tmpdir(), "lockstep-architecture-"));
  trees.push(root);
  const manifest = (name: string, dependencies: Record<string, string> = {}) =>
    JSON.stringify({ name: `@lockstep/${name}`, exports: { ".": {}, "./node": {} }, dependencies });
  const sound = {
    "packages/core/package.json": manifest("core"),
    "packages/core/src/index.ts": 'export { add } from "./add.js";\n',
    "packages/core/src/add.ts": "export const add = (a: number, b: number) => Math.sqrt(a * a) + b;\n",
    "packages/protocol/package.json": manifest("protocol", { msgpackr: "1" }),
    "packages/collectives/package.json": manifest("collectives"),
    "packages/worker/package.json": manifest("worker"),
    "packages/worker/src/worker.ts": 'import { add } from "@lockstep/core";\nexport const one = add(0, 1);\n',
    "tests/architecture/exceptions.json": "{}",
  };
  for (const [path, text] of Object.entries({ ...sound, ...files })) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return checkArchitecture(root);
}

const rulesOf = (findings: Finding[]) => findings.map(({ rule, file }) => `${rule} ${file}`);

test("every rule holds in this tree", () => {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  expect(checkArchitecture(root).map(formatFinding)).toEqual([]);
});

test("a small sound tree has no finding", () => {
  expect(plant({})).toEqual([]);
});

test("names the file, the line and the rule of an import against the arrows", () => {
  const [finding] = plant({
    "packages/core/src/net.ts": 'const one = 1;\nexport { one };\nexport { frame } from "@lockstep/protocol";\n',
  });
  expect(formatFinding(finding!)).toBe(
    "packages/core/src/net.ts:3  [arrows] imports @lockstep/protocol; core may import nothing",
  );
});

const violations: readonly [what: string, file: string, text: string, rule: string][] = [
  ["a coordinator that knows tensors", "packages/coordinator/src/a.ts", 'import "@lockstep/core";\n', "arrows"],
  ["a room that does not exist", "apps/cli/src/a.ts", 'import "@lockstep/magic";\n', "arrows"],
  ["an import past the exports", "apps/cli/src/a.ts", 'import { x } from "@lockstep/core/dist/add.js";\n', "exports"],
  ["a relative path into a package", "apps/cli/src/a.ts", 'import "../../../packages/core/src/add.js";\n', "exports"],
  ["a dynamic import past the exports", "tests/a.test.ts", 'await import("@lockstep/core/src/add.js");\n', "exports"],
  ["an undeclared dependency", "packages/core/src/a.ts", 'import pino from "pino";\n', "dependencies"],
  ["Node in an isomorphic part", "packages/core/src/a.ts", 'import { join } from "node:path";\n', "isomorphic"],
  ["a forbidden file name", "packages/core/src/utils.ts", "export const a = 1;\n", "names"],
  ["an index with logic", "packages/core/src/nn/index.ts", "export const a = 1;\n", "names"],
  ["a file of 401 lines", "packages/core/src/a.ts", "// line\n".repeat(401), "size"],
  ["process.env in a Node part", "packages/core/src/node/a.ts", "export const e = process.env.HOME;\n", "calls"],
  ["Date.now in an isomorphic part", "packages/worker/src/a.ts", "export const t = Date.now();\n", "calls"],
  ["performance.now", "packages/worker/src/a.ts", "export const t = performance.now();\n", "calls"],
  ["Math.random", "packages/data/src/a.ts", "export const r = Math.random();\n", "calls"],
  ["console", "packages/worker/src/a.ts", 'console.log("x");\n', "calls"],
  ["setTimeout without a clock", "packages/collectives/src/a.ts", "setTimeout(() => {}, 1);\n", "calls"],
  ["host Math.exp in core", "packages/core/src/a.ts", "export const e = Math.exp(1);\n", "hostMath"],
  ["the ** operator in models", "packages/models/src/a.ts", "export const e = 2 ** 3;\n", "hostMath"],
  ["host Math hidden in a template", "packages/core/src/a.ts", "export const e = `x ${Math.pow(2, 3)}`;\n", "hostMath"],
  ["host Math in a job", "examples/02-x/job.ts", "export default Math.log(65);\n", "hostMath"],
  ["host Math beside a job", "examples/02-x/text.ts", "export const e = Math.log(65);\n", "hostMath"],
  ["host Math in a benchmark's job", "benchmarks/jobs/a.ts", "export const e = Math.exp(1);\n", "hostMath"],
  ["host Math in a test's job", "tests/e2e/jobs/a/job.ts", "export const e = 2 ** 0.5;\n", "hostMath"],
  ["randomness in a job", "examples/02-x/job.ts", "export const e = Math.random();\n", "hostMath"],
  ["host Math by a name in brackets", "packages/core/src/a.ts", 'export const e = Math["pow"](2, 3);\n', "hostMath"],
  ["host Math taken apart", "packages/core/src/a.ts", "export const { pow } = Math;\n", "hostMath"],
  ["a test that sleeps", "packages/core/src/a.test.ts", "await sleep(10);\n", "tests"],
  ["a test that hides the others", "packages/core/src/a.test.ts", 'test.only("a", () => {});\n', "tests"],
  ["a test that is tried again", "packages/core/src/a.test.ts", 'test("a", { retry: 2 }, () => {});\n', "tests"],
];

test.each(violations)("finds %s", (_what, file, text, rule) => {
  expect(rulesOf(plant({ [file]: text }))).toEqual([`${rule} ${file}`]);
});

test("finds a circle of modules and prints its path", () => {
  const findings = plant({
    "packages/core/src/a.ts": 'import { b } from "./b.js";\nexport const a = () => b;\n',
    "packages/core/src/b.ts": 'import { a } from "./a.js";\nexport const b = () => a;\n',
  });
  expect(findings.map(({ detail }) => detail)).toEqual([
    "is in a circle of imports: packages/core/src/a.ts -> packages/core/src/b.ts -> packages/core/src/a.ts",
  ]);
});

test("an import of types alone makes no circle", () => {
  const findings = plant({
    "packages/core/src/a.ts": 'import { b } from "./b.js";\nexport const a = b;\nexport type A = number;\n',
    "packages/core/src/b.ts": 'import type { A } from "./a.js";\nexport const b: A = 1;\n',
  });
  expect(findings).toEqual([]);
});

test("comments, strings and regular expressions are not code", () => {
  const text = [
    "/** Math.random() and console.log */",
    'export const a = "Date.now() // ";',
    "export const b = /console\\.[\"']/.test(a);",
    "export const c = `setTimeout( ${a} process.env`;",
    "export interface Clock { setTimeout(run: () => void): void }",
    "export const d = (clock: Clock) => clock.setTimeout(() => {});",
  ].join("\n");
  expect(plant({ "packages/core/src/a.ts": text })).toEqual([]);
});

test("an exception excuses its file and must itself name a file and a reason", () => {
  const long = { "packages/core/src/a.ts": "// line\n".repeat(401) };
  const exceptions = (entries: object[]) => ({
    "tests/architecture/exceptions.json": JSON.stringify({ size: entries }),
  });
  expect(plant({ ...long, ...exceptions([{ path: "packages/core/src/a.ts", reason: "a table" }]) })).toEqual([]);
  expect(rulesOf(plant(exceptions([{ path: "packages/core/src/gone.ts", reason: "a table" }])))).toEqual([
    "exceptions tests/architecture/exceptions.json",
  ]);
});
