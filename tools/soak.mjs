/** @file `npm run soak -- --minutes 10 --seed 1`: builds what is stale, then runs tests/fault/soak/main.ts. */
import { join } from "node:path";
import { ensureBuilt, root, runTool } from "./workspace.mjs";

ensureBuilt();
const main = join(root, "tests", "fault", "soak", "main.ts");
process.exitCode = await runTool(process.execPath, ["--import", "tsx", main, ...process.argv.slice(2)]);
