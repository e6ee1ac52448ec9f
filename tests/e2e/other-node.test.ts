/** @file The same bits on another version of Node: a real binary of npm's `node` package, kept under .lockstep/. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { bin, cleanUp, readSummary, root, runLockstep, temporaryFolder } from "./lockstep-process.js";

afterEach(cleanUp);

const major = process.versions.node.startsWith("24.") ? "22" : "24";

function otherNode(): string {
  const folder = join(root, ".lockstep", `node-${major}`);
  const path = join(folder, "node_modules", "node", "bin", "node");
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    const flags = [
      "install",
      "--prefix",
      folder,
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
      "--ignore-scripts=false",
    ];
    execFileSync("npm", [...flags, `node@${major}`], { stdio: "pipe" });
  }
  return path;
}

test(`Node ${major} and this Node ${process.versions.node} end with the same bits, in both classes`, async () => {
  const folder = temporaryFolder();
  const node = otherNode();
  for (const numeric of ["strict", "fused"]) {
    const flags = ["run", "tests/e2e/jobs/text", "--seed", "7", "--numeric", numeric, "--quiet"];
    const [mine, theirs] = [join(folder, `mine-${numeric}`), join(folder, `theirs-${numeric}`)];
    expect((await runLockstep([...flags, "--workers", "2", "--out", mine])).status).toBe(0);
    execFileSync(node, [bin, ...flags, "--workers", "1", "--out", theirs], { cwd: root, stdio: "pipe" });
    expect(readSummary(theirs).paramsSha256).toBe(readSummary(mine).paramsSha256);
  }
}, 180_000);
