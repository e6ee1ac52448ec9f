/** @file `lockstep status URL`: what a coordinator and its workers are doing now. Asks once, changes nothing. */
import type { StatusReport } from "@lockstep/coordinator/node";
import { parseCoordinatorUrl } from "../coordinator-url.js";
import { type ExitStatus, exitStatus, UsageError } from "../exit-status.js";
import { fetchStatus } from "../status/fetch-status.js";
import { formatStatus } from "../status/format-status.js";
import { promptToken, readToken, type TokenFlags } from "../token.js";

interface StatusFlags extends TokenFlags {
  readonly json: boolean;
}

export async function status(url: string, flags: StatusFlags): Promise<ExitStatus> {
  const address = parseCoordinatorUrl(url, "status");
  const given = readToken(flags, process.env, (line) => process.stderr.write(`${line}\n`));
  const token = given ?? (process.stdin.isTTY === true ? await promptToken() : undefined);
  if (token === undefined) {
    throw new UsageError(
      "status: there is no token; a coordinator answers nobody without one. Pass --token-file, or set LOCKSTEP_TOKEN.",
      {},
      "E_USAGE_TOKEN",
    );
  }
  const report: StatusReport = await fetchStatus(address, token);
  process.stdout.write(flags.json ? `${JSON.stringify(report, null, 2)}\n` : `${formatStatus(report)}\n`);
  return exitStatus.completed;
}
