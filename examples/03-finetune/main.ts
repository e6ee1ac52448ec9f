/**
 * Fine-tunes a checkpoint of 02-char-gpt on Moby-Dick and shows the loss on both texts before and after.
 *
 *   npm run example 03-finetune [RUN_OF_02] [-- FLAGS_OF_LOCKSTEP_RUN]
 *
 * Without RUN_OF_02 the newest run of 02 under runs/ is taken; where there is none, a short one is made first.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));
const bin = join(root, "apps/cli/bin/lockstep.js");

export interface Losses {
  readonly sotu: number;
  readonly mobyDick: number;
}

/** Fine-tunes and returns the held-out losses, before and after. */
export function finetune(
  pretrained: string,
  out: string,
  flags: readonly string[] = [],
): { before: Losses; after: Losses } {
  lockstep(["run", here, "--init-from", pretrained, "--out", out, ...flags]);
  return { before: lossesOf(out, ["--init-from", pretrained]), after: lossesOf(out, []) };
}

/** The same evaluation data for both models: they differ in their weights only. */
function lossesOf(run: string, flags: readonly string[]): Losses {
  const loss = (text: string) => {
    const printed = lockstep(["evaluate", run, "--json", "--set", `evalOn=${text}`, ...flags], "capture");
    return (JSON.parse(printed) as { evalLoss: number }).evalLoss;
  };
  return { sotu: loss("sotu"), mobyDick: loss("moby-dick") };
}

function lockstep(args: readonly string[], output: "show" | "capture" = "show"): string {
  const stdout = output === "show" ? "inherit" : "pipe";
  const result = spawnSync(process.execPath, [bin, ...args], {
    cwd: root,
    stdio: ["ignore", stdout, "inherit"],
    encoding: "utf8",
  });
  if (result.status !== 0) throw new Error(`lockstep ${args.join(" ")} ended with ${result.status ?? result.signal}`);
  return result.stdout ?? "";
}

function newestRun(): string | undefined {
  const runs = join(root, "runs");
  const names = existsSync(runs) ? readdirSync(runs).filter((name) => name.startsWith("char-gpt-")) : [];
  const complete = names.map((name) => join(runs, name)).filter((path) => existsSync(join(path, "summary.json")));
  return complete.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
}

function pretrain(): string {
  const out = join(mkdtempSync(join(tmpdir(), "lockstep-pretrained-")), "run");
  console.log("no run of 02-char-gpt under runs/: training a short one");
  lockstep(["run", "examples/02-char-gpt", "--workers", "2", "--steps", "120", "--out", out]);
  return out;
}

function main(args: readonly string[]): void {
  const [first, ...rest] = args;
  const isRun = first !== undefined && !first.startsWith("--");
  const pretrained = isRun ? first : (newestRun() ?? pretrain());
  const flags = isRun ? rest : args;
  const out = join(mkdtempSync(join(tmpdir(), "lockstep-finetune-")), "run");
  const { before, after } = finetune(pretrained, out, ["--workers", "2", ...flags]);
  const row = (name: string, losses: Losses) =>
    `${name.padEnd(8)}${losses.sotu.toFixed(3).padStart(20)}${losses.mobyDick.toFixed(3).padStart(12)}`;
  console.log("\nheld-out loss, nats a character");
  console.log(`${"".padEnd(8)}${"State of the Union".padStart(20)}${"Moby-Dick".padStart(12)}`);
  console.log(row("before", before));
  console.log(row("after", after));
  console.log(`\nlockstep generate ${out} --prompt "Call me "`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
