/** @file `lockstep coordinator JOB`: waits for workers on other machines, prints the command by which they join, then trains. */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { isLoopback } from "@lockstep/coordinator/node";
import { type ExitStatus, UsageError } from "../exit-status.js";
import type { JobFlags, LogFlags, NumericClass } from "../flags/common-flags.js";
import { dialableUrl } from "../lan-address.js";
import { planRun } from "../plan-run.js";
import { superviseRun } from "../supervise-run.js";
import type { ProgressView } from "../terminal/progress.js";
import { createToken, readKeptToken, readToken, type TokenFlags, writeTokenFile } from "../token.js";

interface CoordinatorFlags extends JobFlags, LogFlags, TokenFlags {
  readonly host: string;
  readonly port: number;
  readonly minWorkers: number;
  readonly maxWorkers?: number;
  readonly joinTimeout: number;
  readonly audit: number;
  readonly stateTransferRate?: number;
  readonly numeric?: NumericClass;
  readonly lossScale?: number;
}

export async function coordinator(jobPath: string, flags: CoordinatorFlags): Promise<ExitStatus> {
  const warn = (line: string) => void process.stderr.write(`${line}\n`);
  const given = readToken(flags, process.env, warn);
  const maxWorkers = flags.maxWorkers ?? Math.max(64, flags.minWorkers);
  if (maxWorkers < flags.minWorkers) {
    throw new UsageError(
      `coordinator: --max-workers is ${maxWorkers} and --min-workers ${flags.minWorkers}; the first must not be less than the second. Change one of them.`,
      { minWorkers: flags.minWorkers, maxWorkers },
    );
  }
  const plan = await planRun(jobPath, flags, process.cwd(), new Date());
  if (flags.minWorkers > plan.job.numMicroBatches) {
    throw new UsageError(
      `coordinator: --min-workers is ${flags.minWorkers}, but a step has only ${plan.job.numMicroBatches} micro-batches; there must be at least one for each worker. Ask for at most ${plan.job.numMicroBatches}, or lower microBatchSize.`,
      { minWorkers: flags.minWorkers, numMicroBatches: plan.job.numMicroBatches },
      "E_USAGE_WORKERS",
    );
  }
  if (!isLoopback(flags.host))
    warn(
      `warning: ${flags.host} is no loopback address and the connection is not encrypted (no TLS yet): whoever can read this network can read the data`,
    );
  const token = given ?? (flags.resume === undefined ? undefined : readKeptToken(plan.runDir)) ?? createToken();
  return superviseRun(plan, {
    ...flags,
    token,
    maxWorkers,
    joinTimeoutMs: flags.joinTimeout * 1000,
    joinFailure: "refuse",
    onListening: async ({ url, view }) => {
      announce(dialableUrl(url), {
        token,
        tokenFile: flags.tokenFile,
        runDir: plan.runDir,
        isTerminal: process.stdout.isTTY === true,
        view,
      });
      return undefined;
    },
    farewell: () => "",
  });
}

interface Announcement {
  readonly token: string;
  readonly tokenFile: string | undefined;
  readonly runDir: string;
  readonly isTerminal: boolean;
  readonly view: ProgressView;
}

/** A terminal sees the join command with the token; a pipe, which may be a log, only where the token is. */
function announce(url: string, { token, tokenFile, runDir, isTerminal, view }: Announcement): void {
  if (isTerminal) {
    view.note(`another machine joins with:\n  LOCKSTEP_TOKEN=${token} npx lockstep worker ${url}`, { url });
    return;
  }
  let path = tokenFile;
  if (path === undefined) {
    mkdirSync(runDir, { recursive: true });
    path = join(runDir, "token");
    writeTokenFile(path, token);
  }
  view.note(`another machine joins with: lockstep worker ${url} --token-file ${resolve(path)}`, {
    url,
    tokenFile: path,
  });
}
