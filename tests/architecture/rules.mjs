/**
 * @file The rules of the house, each a function from the tree to findings `{ rule, file, line, detail }`.
 *
 * Imports nothing but Node and the text reader beside it, so that it runs before anything is installed.
 * ARCHITECTURE.md says why each rule exists; exceptions.json lists what is excused, with reasons.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { codeOnly, importsOf, lineOf } from "./source-text.mjs";

/** Who may import whom: the arrows between rooms. Apps, examples, benchmarks and tests may import every room. */
export const arrows = {
  core: [],
  "gpu-backend": ["core"],
  data: ["core"],
  models: ["core"],
  protocol: [],
  collectives: ["protocol"],
  coordinator: ["protocol"],
  worker: ["core", "data", "collectives", "protocol"],
  fit: ["core", "data", "worker"],
};

const maxLines = 400;
const forbiddenNames = ["util", "utils", "helper", "helpers", "common", "misc", "shared", "types", "constants"];
const hostMathRooms = ["core", "data", "models"];
const allowedMath = "sqrt fround imul floor ceil round trunc abs min max sign clz32".split(" ");

/** Everything that is forbidden in packages, with where it is allowed all the same. */
const forbiddenCalls = [
  { name: "process.env", pattern: /\bprocess\s*\.\s*env\b/g, inNodeParts: false },
  { name: "Math.random", pattern: /\bMath\s*\.\s*random\b/g, inNodeParts: false },
  { name: "console", pattern: /(?<![\w.])console\s*\./g, inNodeParts: false },
  { name: "Date.now", pattern: /\bDate\s*\.\s*now\b|\bnew\s+Date\s*\(\s*\)/g, inNodeParts: true },
  { name: "performance.now", pattern: /\bperformance\s*\.\s*now\b/g, inNodeParts: true },
  { name: "setTimeout", pattern: /(?<![\w.])(?:setTimeout|setInterval)\s*\((?!\s*\w+\s*\??:)/g, inNodeParts: true },
];

/** All findings over the tree at `root`. */
export function checkArchitecture(root) {
  const tree = readTree(root);
  return [
    ...checkArrows(tree),
    ...checkCycles(tree),
    ...checkSizes(tree),
    ...checkNames(tree),
    ...checkCalls(tree),
    ...checkHostMath(tree),
    ...checkTests(tree),
    ...checkExceptions(tree),
  ];
}

export function formatFinding({ rule, file, line, detail }) {
  return `${file}${line ? `:${line}` : ""}  [${rule}] ${detail}`;
}

function readTree(root) {
  const exceptionsPath = join(root, "tests/architecture/exceptions.json");
  const exceptions = existsSync(exceptionsPath) ? JSON.parse(readFileSync(exceptionsPath, "utf8")) : {};
  const files = ["packages", "apps", "examples", "benchmarks", "tests", "tools"]
    .flatMap((folder) => listFiles(join(root, folder)))
    .filter((path) => /\.(ts|mts|mjs|js)$/.test(path) && !path.endsWith(".d.ts") && !path.endsWith(".d.mts"))
    .map((path) => {
      const text = readFileSync(path, "utf8");
      const file = relative(root, path).replaceAll("\\", "/");
      return { file, text, code: codeOnly(text), room: roomOf(file), isTest: isTestFile(file) };
    });
  const manifests = new Map();
  for (const room of Object.keys(arrows)) {
    const path = join(root, "packages", room, "package.json");
    if (existsSync(path)) manifests.set(room, JSON.parse(readFileSync(path, "utf8")));
  }
  return { root, files, manifests, exceptions, byFile: new Map(files.map((entry) => [entry.file, entry])) };
}

function listFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !["node_modules", "dist", ".turbo", "runs", "out"].includes(entry.name))
    .flatMap((entry) => (entry.isDirectory() ? listFiles(join(folder, entry.name)) : [join(folder, entry.name)]));
}

const roomOf = (file) => (file.startsWith("packages/") ? file.split("/")[1] : undefined);
const isTestFile = (file) =>
  /\.(test|bench|testkit)\.ts$/.test(file) || file.startsWith("tests/") || file.includes("/src/testing/");
const isNodePart = (file) => file.includes("/src/node/");
const isExcused = (tree, rule, file) =>
  (tree.exceptions[rule] ?? []).some(({ path }) => file === path || (path.endsWith("/") && file.startsWith(path)));

function checkArrows(tree) {
  const findings = [];
  for (const entry of tree.files) {
    for (const { specifier, line } of importsOf(entry.text)) {
      const report = (rule, detail) => findings.push({ rule, file: entry.file, line, detail });
      if (specifier.startsWith(".")) checkRelative(entry, specifier, report);
      else if (specifier.startsWith("@lockstep/")) checkRoomImport(tree, entry, specifier, report);
      else if (entry.room && !entry.isTest) checkForeignImport(tree, entry, specifier, report);
    }
  }
  return findings;
}

function checkRelative(entry, specifier, report) {
  const target = normalize(join(dirname(entry.file), specifier)).replaceAll("\\", "/");
  const home = entry.file.split("/").slice(0, 2).join("/");
  const isInside = target.startsWith(`${home}/`);
  if (/^(packages|apps)\//.test(target) && !isInside) {
    report(
      "exports",
      `imports "${specifier}", the inside of ${target.split("/").slice(0, 2).join("/")}; it must go through that package's exports`,
    );
  } else if (entry.room && !isInside) report("exports", `imports "${specifier}", which lies outside its package`);
}

function checkRoomImport(tree, entry, specifier, report) {
  const [, target, ...rest] = specifier.split("/");
  const manifest = tree.manifests.get(target);
  if (!manifest) return report("arrows", `imports "${specifier}", and there is no such room`);
  const subpath = rest.length === 0 ? "." : `./${rest.join("/")}`;
  if (!manifest.exports?.[subpath]) {
    report(
      "exports",
      `imports "${specifier}"; @lockstep/${target} exports only ${Object.keys(manifest.exports ?? {}).join(", ")}`,
    );
  }
  if (!entry.room || entry.room === target || entry.isTest) return undefined;
  if (!arrows[entry.room]?.includes(target)) {
    report(
      "arrows",
      `imports @lockstep/${target}; ${entry.room} may import ${arrows[entry.room]?.join(", ") || "nothing"}`,
    );
  }
  return undefined;
}

function checkForeignImport(tree, entry, specifier, report) {
  if (specifier.startsWith("node:")) {
    if (!isNodePart(entry.file)) report("isomorphic", `imports "${specifier}"; Node may be used in src/node/ only`);
    return;
  }
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  if (!tree.manifests.get(entry.room)?.dependencies?.[name]) {
    report(
      "dependencies",
      `imports "${name}", which packages/${entry.room}/package.json does not list in dependencies`,
    );
  }
}

/** Circles of run-time imports inside a package; `import type` vanishes and is not counted. */
function checkCycles(tree) {
  const edges = new Map();
  for (const entry of tree.files) {
    const targets = importsOf(entry.text)
      .filter(({ specifier, isTypeOnly }) => specifier.startsWith(".") && !isTypeOnly)
      .map(({ specifier }) => normalize(join(dirname(entry.file), specifier)).replaceAll("\\", "/"))
      .map((path) => [path, path.replace(/\.js$/, ".ts")].find((candidate) => tree.byFile.has(candidate)))
      .filter((path) => path !== undefined);
    edges.set(entry.file, targets);
  }
  const findings = [];
  const state = new Map();
  const visit = (file, trail) => {
    if (state.get(file) === "done") return;
    if (state.get(file) === "open") {
      const circle = [...trail.slice(trail.indexOf(file)), file];
      findings.push({ rule: "cycles", file, detail: `is in a circle of imports: ${circle.join(" -> ")}` });
      return;
    }
    state.set(file, "open");
    for (const target of edges.get(file) ?? []) visit(target, [...trail, file]);
    state.set(file, "done");
  };
  for (const file of edges.keys()) visit(file, []);
  return findings;
}

function checkSizes(tree) {
  return tree.files
    .map(({ file, text }) => ({ file, lines: text.split("\n").length - 1 }))
    .filter(({ file, lines }) => lines > maxLines && !isExcused(tree, "size", file))
    .map(({ file, lines }) => ({
      rule: "size",
      file,
      detail: `has ${lines} lines; the limit is ${maxLines}. Split it, or add a line with a reason to tests/architecture/exceptions.json`,
    }));
}

function checkNames(tree) {
  const findings = [];
  for (const { file, code } of tree.files) {
    const base = file.split("/").at(-1).split(".")[0];
    if (forbiddenNames.includes(base)) {
      findings.push({
        rule: "names",
        file,
        detail: `is named "${base}", which says nothing; name it after its main export`,
      });
    }
    if (base === "index" && /\.ts$/.test(file) && hasLogic(code)) {
      findings.push({ rule: "names", file, detail: "is an index with logic; an index must only re-export" });
    }
  }
  return findings;
}

function hasLogic(code) {
  const rest = code
    .replace(/\b(?:import|export)\b(?:\s+type)?\s*(?:\{[^}]*\}|\*(?:\s+as\s+\w+)?)\s*(?:from\s*"\s*")?\s*;?/g, "")
    .replace(/\bimport\s*"\s*"\s*;?/g, "");
  return rest.trim() !== "";
}

function checkCalls(tree) {
  const findings = [];
  for (const entry of tree.files.filter(({ room, isTest }) => room && !isTest)) {
    for (const { name, pattern, inNodeParts } of forbiddenCalls) {
      if (inNodeParts && isNodePart(entry.file)) continue;
      if (isExcused(tree, "calls", entry.file)) continue;
      for (const match of entry.code.matchAll(pattern)) {
        const detail = `uses ${name}; packages receive the environment, the clock, randomness and a logger from the app`;
        findings.push({ rule: "calls", file: entry.file, line: lineOf(entry.code, match.index), detail });
      }
    }
  }
  return findings;
}

/** Modules that run inside a job, on every worker. */
const isJobFile = (file) =>
  (/^examples\/[^/]+\//.test(file) && !/\/main\.ts$|\.test\.ts$/.test(file)) ||
  /^(?:benchmarks|tests\/e2e)\/jobs\//.test(file);

/** Host Math beyond exact operations differs between engines, so it may not touch a number that enters a result. */
function checkHostMath(tree) {
  const findings = [];
  for (const entry of tree.files) {
    const isJob = isJobFile(entry.file);
    const applies = (hostMathRooms.includes(entry.room) && !entry.isTest) || isJob;
    if (!applies || isExcused(tree, "hostMath", entry.file)) continue;
    for (const match of entry.code.matchAll(/\bMath\s*\.\s*(\w+)|\bMath\b|\*\*/g)) {
      const name = match[1];
      if (name && (allowedMath.includes(name) || /^[A-Z]/.test(name))) continue;
      if (name === "random" && !isJob) continue; // checkCalls reports it
      const detail = `uses ${name ? `Math.${name}` : match[0]}, whose bits differ between engines; use core's scalar-math`;
      findings.push({ rule: "hostMath", file: entry.file, line: lineOf(entry.code, match.index), detail });
    }
  }
  return findings;
}

const testRules = [
  { pattern: /\b(?:test|it|describe)\s*\.\s*only\b/g, detail: "has .only, which hides the other tests" },
  { pattern: /\bretry\s*:/g, detail: "retries a test; a flaky test is a bug" },
  { pattern: /\bMath\s*\.\s*random\b/g, detail: "uses unseeded randomness" },
];

function checkTests(tree) {
  const findings = [];
  for (const entry of tree.files.filter(({ file }) => file.endsWith(".test.ts"))) {
    const rules = [...testRules];
    if (!entry.file.startsWith("tests/e2e/")) {
      rules.push({
        pattern: /(?<![\w.])(?:setTimeout|sleep)\s*\(/g,
        detail: "sleeps; only tests/e2e may wait for real time",
      });
    }
    for (const { pattern, detail } of rules) {
      for (const match of entry.code.matchAll(pattern)) {
        if (isExcused(tree, "tests", entry.file)) continue;
        findings.push({ rule: "tests", file: entry.file, line: lineOf(entry.code, match.index), detail });
      }
    }
  }
  return findings;
}

/** An exception that excuses nothing is a lie about the code. */
function checkExceptions(tree) {
  const file = "tests/architecture/exceptions.json";
  return Object.entries(tree.exceptions).flatMap(([rule, entries]) =>
    entries
      .filter(
        ({ path, reason }) =>
          !reason || !tree.files.some((entry) => entry.file === path || entry.file.startsWith(path)),
      )
      .map(({ path }) => ({ rule: "exceptions", file, detail: `${rule}: "${path}" has no reason or names no file` })),
  );
}
