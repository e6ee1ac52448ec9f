/** @file `lockstep report RUN`: curves, events, configuration and what the model does, as one HTML file. */
import { statSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { type ExitStatus, exitStatus, UsageError } from "../exit-status.js";
import { reportPage } from "../report/page.js";
import { readRunLog } from "../report/run-log.js";
import { formatBytes } from "../terminal/format.js";

interface ReportFlags {
  readonly out?: string;
}

export async function report(path: string, flags: ReportFlags): Promise<ExitStatus> {
  const runDir = resolve(process.cwd(), path);
  const log = readRunLog(runDir, path);
  const out = flags.out === undefined ? join(runDir, "report.html") : resolve(process.cwd(), flags.out);
  writePage(out, flags.out ?? out, reportPage({ log, shown: path }));
  return exitStatus.completed;
}

function writePage(out: string, shown: string, text: string): void {
  try {
    writeFileSync(out, text);
  } catch (cause) {
    throw new UsageError(
      `report: ${shown} cannot be written (${cause instanceof Error ? cause.message : String(cause)}); --out must name a file in a folder that is there. Name another one.`,
      { out },
      "E_USAGE_REPORT_OUT",
    );
  }
  process.stdout.write(`report: ${relative(process.cwd(), out)} (${formatBytes(statSync(out).size)})\n`);
}
