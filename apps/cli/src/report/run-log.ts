/** @file What a run wrote of itself: the lines of its steps, its events, its summary. Checked line by line. */
import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import * as z from "zod";
import { UsageError } from "../exit-status.js";
import { type RunConfig, readRunConfig } from "../run-directory.js";

const amount = z.number().nullish();

const stepSchema = z.looseObject({
  step: z.int().min(0),
  loss: amount,
  learningRate: amount,
  gradNorm: amount,
  tokensPerSec: amount,
  samplesPerSec: amount,
  stepMs: amount,
  computeMs: amount,
  commMs: amount,
  worldSize: amount,
  generation: amount,
  bytesSent: amount,
  evalLoss: amount,
  metrics: z.record(z.string(), z.number().nullable()).optional(),
});

const eventSchema = z.looseObject({
  time: z.iso.datetime(),
  type: z.string(),
  step: z.int().min(0),
  generation: z.int().min(0),
  reason: z.string(),
  workerId: z.string().optional(),
  name: z.string().optional(),
});

const summarySchema = z.looseObject({
  status: z.string(),
  steps: z.number(),
  error: z.looseObject({ message: z.string() }).nullish(),
});

/** A line of metrics.jsonl. */
export type StepLine = z.infer<typeof stepSchema>;
/** A line of events.jsonl. */
export type EventLine = z.infer<typeof eventSchema>;
export type RunSummary = z.infer<typeof summarySchema>;

export interface RunLog {
  readonly config: RunConfig;
  readonly steps: readonly StepLine[];
  readonly events: readonly EventLine[];
  /** Undefined while the run goes on, or when it was killed. */
  readonly summary: RunSummary | undefined;
  /** What a reader of the report must know of the files. */
  readonly notes: readonly string[];
}

/**
 * @throws {UsageError} E_USAGE_RUN for a folder that is no run, E_USAGE_METRICS for a run without steps, E_USAGE_LINE for a line that no
 *   run writes, with file and line.
 */
export function readRunLog(runDir: string, shown: string): RunLog {
  const config = readRunConfig(runDir);
  const notes: string[] = [];
  const metricsPath = join(runDir, "metrics.jsonl");
  const steps = existsSync(metricsPath) ? readLines(metricsPath, stepSchema, notes) : [];
  if (steps.length === 0) {
    throw new UsageError(
      `report: ${shown} has ${existsSync(metricsPath) ? "no line in its metrics.jsonl" : "no metrics.jsonl"}, so no step was made yet; there must be at least one. Let it run, or resume it.`,
      { runDir },
      "E_USAGE_METRICS",
    );
  }
  const eventsPath = join(runDir, "events.jsonl");
  const events = existsSync(eventsPath) ? readLines(eventsPath, eventSchema, notes) : [];
  if (events.length === 0) notes.push("The run has no events.jsonl, so there is no timeline.");
  const summaryPath = join(runDir, "summary.json");
  if (!existsSync(summaryPath)) {
    notes.push(
      "There is no summary.json: the run goes on still, or was killed. The report shows what it wrote so far.",
    );
    return { config, steps, events, summary: undefined, notes };
  }
  const summary = parsed(summaryPath, readFileSync(summaryPath, "utf8"), summarySchema);
  if (summary.error) notes.push(`The run ${summary.status}: ${summary.error.message}`);
  return { config, steps, events, summary, notes };
}

function readLines<T>(path: string, schema: z.ZodType<T>, notes: string[]): T[] {
  const lines = readFileSync(path, "utf8").split("\n");
  const last = lines.pop()!; // what follows the last newline: nothing, or a line that was not finished
  if (last !== "" && !isJson(last)) {
    notes.push(
      `The last line of ${relative(process.cwd(), path)} (line ${lines.length + 1}) is cut off, because it is being written or the run was killed; it is left out.`,
    );
  } else if (last !== "") lines.push(last);
  return lines.flatMap((line, i) => (line === "" ? [] : [parsed(path, line, schema, i + 1)]));
}

function parsed<T>(path: string, text: string, schema: z.ZodType<T>, line?: number): T {
  const where = `${relative(process.cwd(), path)}${line === undefined ? "" : ` line ${line}`}`;
  const refuse = (what: string): never => {
    throw new UsageError(
      `report: ${where} ${what}; it must be as a run writes it. Mend or remove it, or take the file from a backup.`,
      { path, line },
      "E_USAGE_LINE",
    );
  };
  if (!isJson(text)) refuse(`is not JSON (${JSON.stringify(text.slice(0, 60))})`);
  const result = schema.safeParse(JSON.parse(text));
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  return refuse(`has ${issue.path.join(".") || "no object"}: ${issue.message.replace(/^Invalid input: /, "")}`);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
