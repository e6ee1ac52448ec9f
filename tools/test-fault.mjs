/**
 * @file `npm run test:fault [-- FILTER ...]`: every fault test, those with real processes as well, and the simulation over SCHEDULES
 * seeded schedules (default 10,000). Takes minutes.
 */
import { ensureBuilt, runTool } from "./workspace.mjs";

ensureBuilt();
const args = ["run", "--config", "vitest.fault.config.ts", ...process.argv.slice(2)];
process.exitCode = await runTool("vitest", args, { env: { SCHEDULES: process.env.SCHEDULES ?? "10000" } });
