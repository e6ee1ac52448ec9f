/**
 * @file For `node --import`: the process kills itself at the KILL_AT-th change of a checkpoint's folder: before it when that is odd, after
 * it when that is even.
 */
import fsp from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const killAt = Number(process.env.KILL_AT);
let calls = 0;

const die = () => {
  process.kill(process.pid, "SIGKILL");
  for (;;);
};

for (const name of ["rename", "mkdir", "copyFile", "rm"]) {
  const original = fsp[name];
  fsp[name] = async (...args) => {
    const isCheckpoint = args.slice(0, 2).some((path) => /checkpoints[/\\][^/\\]*step-\d+/.test(String(path)));
    const isIt = isCheckpoint && ++calls === killAt;
    if (isIt && killAt % 2 === 1) die();
    const result = await original(...args);
    if (isIt) die();
    return result;
  };
}
syncBuiltinESMExports();
