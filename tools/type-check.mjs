/** @file Type-checks every room under its own rules, then tests, examples and benchmarks under the root's. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ensureBuilt, root, runTool, workspaceMembers } from "./workspace.mjs";

ensureBuilt();
const projects = workspaceMembers()
  .flatMap((member) => [`${member}/tsconfig.json`, `${member}/tsconfig.node.json`])
  .filter((project) => existsSync(join(root, project)));

let failed = 0;
for (const project of [...projects, "tsconfig.json"]) {
  const status = await runTool("tsc", ["-p", project, "--noEmit"]);
  if (status !== 0) {
    failed++;
    console.error(`types: ${project} does not type-check`);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
