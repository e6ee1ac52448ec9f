/** @file `lockstep report RUN`: curves, events, configuration and what the model does, as one HTML file. */
import { statSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { type ExitStatus, exitStatus, UsageError } from "../exit-status.js";
import { printError } from "../print-error.js";
import type { Markup } from "../report/markup.js";
import { modelSection } from "../report/model-section.js";
import { reportPage } from "../report/page.js";
import { readRunLog } from "../report/run-log.js";
import { findLastCheckpoint } from "../run-directory.js";
import { formatBytes } from "../terminal/format.js";
import { withTrainedRun } from "../with-trained-run.js";

interface ReportFlags {
  readonly out?: string;
  readonly samples: number;
  readonly curvesOnly: boolean;
  readonly threads?: number;
}

/** What is shown of the model, or why nothing is. */
interface ModelPart {
  readonly model?: Markup | undefined;
  readonly notes: readonly string[];
  /** The model was to be shown and could not be. */
  readonly error?: unknown;
}

export async function report(path: string, flags: ReportFlags): Promise<ExitStatus> {
  const runDir = resolve(process.cwd(), path);
  const log = readRunLog(runDir, path);
  const { model, notes, error } = flags.curvesOnly ? { model: undefined, notes: [] } : await modelPart(runDir, flags);
  const out = flags.out === undefined ? join(runDir, "report.html") : resolve(process.cwd(), flags.out);
  writePage(out, flags.out ?? relative(process.cwd(), out), reportPage({ log, shown: path, model, notes }));
  if (error === undefined) return exitStatus.completed;
  printError(error);
  return exitStatus.failed;
}

async function modelPart(runDir: string, flags: ReportFlags): Promise<ModelPart> {
  const checkpoint = findLastCheckpoint(runDir);
  if (checkpoint === undefined) {
    return { notes: ["The run has no complete checkpoint yet, so nothing of its model is shown: curves only."] };
  }
  try {
    const options = { checkpoint: checkpoint.dir, threads: flags.threads };
    const shown = await withTrainedRun(runDir, options, (run) => run.explain({ numSamples: flags.samples }));
    if (shown !== undefined) return { model: modelSection(shown, checkpoint.step), notes: [] };
    return { notes: ["Nothing of the model is shown: its job has no explain for such data, or no held-out data."] };
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    return { notes: [`Nothing of the model is shown: ${what}`], error };
  }
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
  process.stdout.write(`report: ${shown} (${formatBytes(statSync(out).size)})\n`);
}
