/**
 * @file `npm start [-- FLAGS]`: trains the main job with two workers on this machine, then prints a sample.
 *
 * Further arguments go to `lockstep run`, so `npm start -- --steps 30` is a quick look.
 */
import { join } from "node:path";
import { ensureBuilt, runLockstep } from "./workspace.mjs";

ensureBuilt();
const args = process.argv.slice(2);
const outAt = args.indexOf("--out");
const out = outAt >= 0 ? args[outAt + 1] : freshRunFolder();
const runArgs = ["run", "examples/02-char-gpt", "--workers", "2", ...(outAt >= 0 ? [] : ["--out", out]), ...args];

console.log(`$ lockstep ${runArgs.join(" ")}\n`);
let status = await runLockstep(runArgs);
if (status === 0) {
  const generateArgs = ["generate", out, "--prompt", "My fellow Americans, "];
  console.log(`\n$ lockstep generate ${out} --prompt "${generateArgs.at(-1)}"\n`);
  status = await runLockstep(generateArgs);
}
process.exitCode = status;

function freshRunFolder() {
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
  return join("runs", `char-gpt-${stamp}`);
}
