/** @file `npm run soak -- --minutes M --seed S`: exit status 0 when nothing hung, diverged or grew. Ctrl-C ends the disturbance early. */
import { readCommandLine } from "../../../tools/command-line.mjs";
import { cleanUp, temporaryFolder } from "../../e2e/lockstep-process.js";
import { soakRun } from "./soak-run.js";

const usage = `npm run soak -- [--minutes M] [--seed S]

Disturbs one run at random, then compares it with an undisturbed one. Exit status 0: nothing hung, diverged or grew.

--minutes M    how long; default 10. Ctrl-C ends the disturbance early
--seed S       what the disturbances are drawn from; default 1
--help         this`;

async function main(): Promise<number> {
  const given = readCommandLine({
    name: "soak",
    usage,
    options: { minutes: { type: "string", default: "10" }, seed: { type: "string", default: "1" } },
  });
  if (typeof given === "number") return given;
  const { values } = given;
  const minutes = Number(values.minutes);
  const seed = Number(values.seed);
  if (!(minutes > 0) || !Number.isSafeInteger(seed) || seed < 0) {
    console.error(
      `soak: --minutes is ${values.minutes} and --seed ${values.seed}; they must be a positive number and a whole number from 0.`,
    );
    return 2;
  }
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort());
  const startMs = performance.now();
  const log = (line: string) =>
    console.log(`${((performance.now() - startMs) / 1000).toFixed(1).padStart(7)} s  ${line}`);
  const folder = temporaryFolder();
  const result = await soakRun({ minutes, seed, folder, log, signal: controller.signal });
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  log(
    `soak: ${result.steps} steps, ${JSON.stringify(result.faults)}, longest gap ${Math.round(result.longestGapMs)} ms`,
  );
  for (const { name, numSamples, earlyBytes, lateBytes } of result.memory)
    log(`soak: memory of ${name}: ${mib(earlyBytes)} early, ${mib(lateBytes)} late, ${numSamples} samples`);
  for (const failure of result.failures) console.error(`soak: FAILED: ${failure}`);
  if (result.failures.length > 0) {
    console.log(
      `soak: failed; its files stay in ${folder}; again with: npm run soak -- --minutes ${minutes} --seed ${seed}`,
    );
    return 1;
  }
  await cleanUp();
  console.log("soak: passed");
  return 0;
}

process.exitCode = await main();
