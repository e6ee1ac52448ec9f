/** @file `npm run example NAME [ARGS...]`: runs the `start` script of one example. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureBuilt, root, runTool } from "./workspace.mjs";

const [name, ...args] = process.argv.slice(2);
const examples = readdirSync(join(root, "examples")).filter((entry) => /^\d\d-/.test(entry));
const found = examples.find((example) => example === name || example.slice(0, 2) === name);
if (!found || !existsSync(join(root, "examples", found, "package.json"))) {
  console.error(`example: there is no example "${name ?? ""}"; the name must be one of ${examples.join(", ")}.`);
  process.exit(2);
}
ensureBuilt();
process.exitCode = await runTool("pnpm", ["--silent", "run", "start", ...args], { cwd: join(root, "examples", found) });
