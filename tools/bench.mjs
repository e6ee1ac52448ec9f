import { join } from "node:path";
import { ensureBuilt, root, runTool } from "./workspace.mjs";

ensureBuilt();
const main = join(root, "benchmarks", "src", "main.ts");
process.exitCode = await runTool(process.execPath, ["--import", "tsx", main, ...process.argv.slice(2)]);
