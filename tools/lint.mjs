import { ensureInstalled, runTool } from "./workspace.mjs";

ensureInstalled();
process.exitCode = await runTool("biome", ["check", ...process.argv.slice(2)]);
