/** @file `npm run test:replay SEED`: one simulated schedule of faults once more, with what happened in it. */
import { ensureBuilt, runTool } from "./workspace.mjs";

const seed = process.argv[2] ?? "";
if (/^\d+$/.test(seed)) {
  ensureBuilt();
  const args = ["run", "--config", "vitest.fault.config.ts", "tests/fault/simulation"];
  process.exitCode = await runTool("vitest", args, { env: { SEED: seed } });
} else {
  process.stderr.write(`test:replay: SEED is "${seed}"; it must be the number that the failed test printed.\n`);
  process.exitCode = 2;
}
