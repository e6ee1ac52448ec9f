import { ensureBuilt, runTool } from "./workspace.mjs";

ensureBuilt();
process.exitCode = await runTool("vitest", ["run", ...process.argv.slice(2)]);
