/** @file Whether a run that was disturbed left the same as one that was not. Reads files only. */
import { join } from "node:path";
import { readSummary, runLockstep } from "../../e2e/lockstep-process.js";
import { type Line, readAllLines } from "./line-file.js";
import type { JobToTrain } from "./training-group.js";

export interface UndisturbedRun {
  readonly paramsSha256: string;
  readonly evalLoss: number;
  readonly metrics: readonly Line[];
  readonly commits: readonly Line[];
}

const undisturbedRuns = new Map<string, Promise<UndisturbedRun>>();

/** The same job by one worker that nothing happens to. Trained once a process. */
export function undisturbed(options: JobToTrain, folder: string, numSteps?: number): Promise<UndisturbedRun> {
  const key = JSON.stringify([options.job, options.seed, options.totalSteps, options.set, numSteps]);
  const known = undisturbedRuns.get(key) ?? trainAlone(options, folder, numSteps);
  undisturbedRuns.set(key, known);
  return known;
}

async function trainAlone(
  { job, seed, totalSteps, set = [] }: JobToTrain,
  folder: string,
  numSteps = totalSteps,
): Promise<UndisturbedRun> {
  const out = join(folder, `undisturbed-${seed}-${totalSteps}-${numSteps}`);
  const settings = [`totalSteps=${totalSteps}`, ...set].flatMap((pair) => ["--set", pair]);
  const flags = ["--workers", "1", "--seed", String(seed), "--steps", String(numSteps), "--out", out, "--quiet"];
  const { status, stderr } = await runLockstep(["run", job, ...flags, ...settings], { limitMs: 3_600_000 });
  if (status !== 0) throw new Error(`the undisturbed run ended with ${status}: ${stderr}`);
  const { paramsSha256, evalLoss } = readSummary(out);
  return { paramsSha256, evalLoss, metrics: readAllLines(join(out, "metrics.jsonl")), commits: readCommits(out) };
}

function readCommits(out: string): readonly Line[] {
  return readAllLines(join(out, "events.jsonl")).filter(({ type }) => type === "commit");
}

/**
 * What in a run directory breaks the laws: steps that are missing or there twice (L3), other losses, states or parameters than those of
 * the undisturbed run (L1), an end that is none.
 */
export function findViolations(
  out: string,
  expected: UndisturbedRun,
  { status = "completed" }: { readonly status?: "completed" | "interrupted" } = {},
): readonly string[] {
  const summary = readSummary(out);
  const metrics = readAllLines(join(out, "metrics.jsonl"));
  const commits = readCommits(out);
  const numSteps = expected.metrics.length;
  const found = [
    ...violationsOfSequence("metrics.jsonl", metrics, numSteps),
    ...violationsOfSequence("commit events", commits, numSteps),
    ...violationsOfValues(metrics, expected.metrics, "loss"),
    ...violationsOfValues(commits, expected.commits, "previousStateHash"),
  ];
  const differs = (what: string, is: unknown, must: unknown) => {
    if (is !== must) found.push(`summary: ${what} is ${String(is)}; it must be ${String(must)}`);
  };
  differs("status", summary.status, status);
  differs("steps", summary.steps, numSteps);
  differs("paramsSha256", summary.paramsSha256, expected.paramsSha256);
  if (status === "completed") differs("evalLoss", summary.evalLoss, expected.evalLoss);
  return found;
}

/** Steps must be 1, 2, ... numSteps. */
export function violationsOfSequence(what: string, lines: readonly Line[], numSteps: number): readonly string[] {
  const found: string[] = [];
  const times = new Map<number, number>();
  for (const { step } of lines) times.set(step, (times.get(step) ?? 0) + 1);
  for (const [step, count] of times) if (count > 1) found.push(`${what}: step ${step} is there ${count} times`);
  for (let step = 1; step <= numSteps; step++) if (!times.has(step)) found.push(`${what}: step ${step} is missing`);
  const beyond = [...times.keys()].filter((step) => step < 1 || step > numSteps);
  if (beyond.length > 0) found.push(`${what}: steps ${beyond.join(", ")} do not belong to the run`);
  const disorder = lines.findIndex(({ step }, index) => index > 0 && step < lines[index - 1]!.step);
  if (disorder > 0) found.push(`${what}: step ${lines[disorder]!.step} comes after ${lines[disorder - 1]!.step}`);
  return found;
}

/** A lost worker may take its losses along (null); what is there must have the same bits. */
function violationsOfValues(
  lines: readonly Line[],
  expected: readonly Line[],
  field: "loss" | "previousStateHash",
): readonly string[] {
  const valueAt = new Map(expected.map((line) => [line.step, line[field]]));
  return lines
    .filter((line) => line[field] !== null && line[field] !== valueAt.get(line.step))
    .slice(0, 3)
    .map((line) => `${field} of step ${line.step} is ${line[field]}; undisturbed it was ${valueAt.get(line.step)}`);
}
