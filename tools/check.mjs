/** @file What CI does: lint, types, build, architecture, all tests. Runs every part even when an earlier one fails. */
import { join } from "node:path";
import { ensureBuilt, root, runTool } from "./workspace.mjs";

ensureBuilt();
const parts = [
  ["lint", "biome", ["check"]],
  ["types", process.execPath, [join(root, "tools", "type-check.mjs")]],
  ["architecture", process.execPath, [join(root, "tests", "architecture", "check.mjs")]],
  ["tests", "vitest", ["run", ...process.argv.slice(2)]],
];
const failed = [];
for (const [name, command, args] of parts) {
  console.log(`\n== ${name}`);
  if ((await runTool(command, args)) !== 0) failed.push(name);
}
console.log(failed.length === 0 ? "\ncheck: everything passed" : `\ncheck: failed in ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
