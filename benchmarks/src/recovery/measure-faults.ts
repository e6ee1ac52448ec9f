/** @file Kills, freezes, joins and coordinator restarts of a running group, each timed from outside. */
import { join } from "node:path";
import { Generator } from "@lockstep/core";
import type { Line } from "../../../tests/fault/lib/line-file.js";
import { violationsOfSequence } from "../../../tests/fault/lib/run-checks.js";
import { TrainingGroup } from "../../../tests/fault/lib/training-group.js";
import { pause, pauseIntoStep, waitUntil } from "../../../tests/fault/lib/wait-until.js";
import { quantile, type RecoveryFigure } from "./recovery-report.js";

export interface MeasureOptions {
  readonly folder: string;
  readonly log: (line: string) => void;
  readonly count: number;
  readonly seed: number;
}

export interface GroupToStart {
  /** Of its run directory. */
  readonly name: string;
  readonly workers: readonly string[];
  readonly minWorkers?: number;
}

/** examples/02-char-gpt in 16 micro-batches of 2, without an end. */
export const charGpt = {
  job: "examples/02-char-gpt",
  seed: 7,
  totalSteps: 1_000_000,
  set: ["microBatchSize=2", "evalIntervalSteps=0", "checkpointIntervalSteps=0"],
};
const limitMs = 3_600_000;
const healMs = 120_000;

export async function startGroup(
  { folder }: Pick<MeasureOptions, "folder">,
  { name, workers, minWorkers = 1 }: GroupToStart,
): Promise<TrainingGroup> {
  const group = await TrainingGroup.start({ ...charGpt, out: join(folder, name), minWorkers, limitMs });
  for (const worker of workers) await group.addWorker(worker);
  await group.waitForMembers(workers, healMs);
  await group.waitForProgress(5, healMs);
  return group;
}

export const timeOf = (line: Line): number => Date.parse(String(line.time));

/** Median time between the last commits. */
export function stepMsOf(group: TrainingGroup): number {
  const times = group
    .events()
    .filter(({ type }) => type === "commit")
    .slice(-10)
    .map(timeOf);
  return quantile(
    times.slice(1).map((time, index) => time - times[index]!),
    0.5,
  );
}

/** The first commit of a generation later than `generation`. */
function firstCommitAfter(group: TrainingGroup, generation: number): Promise<Line> {
  return waitUntil(
    `a commit after generation ${generation}`,
    healMs,
    () => group.events().findLast((event) => event.type === "commit" && Number(event.generation) > generation),
    () => group.describe(),
  ).then((last) => {
    const first = group.events().find(({ type, generation: g }) => type === "commit" && Number(g) > generation);
    return first ?? last;
  });
}

const generationOf = (group: TrainingGroup) =>
  Number(group.events().findLast(({ type }) => type === "generation")?.generation ?? 0);

/** Ends the group and finds what steps were lost or committed twice. */
async function endAndCheck(group: TrainingGroup): Promise<readonly string[]> {
  group.interrupt();
  const { summary } = await group.finish();
  const commits = group.events().filter(({ type }) => type === "commit");
  return [
    ...violationsOfSequence("metrics.jsonl", group.metrics(), summary.steps),
    ...violationsOfSequence("commit events", commits, summary.steps),
  ];
}

async function measured(
  options: MeasureOptions,
  what: GroupToStart,
  once: (group: TrainingGroup, random: Generator, index: number) => Promise<void>,
): Promise<{ readonly violations: readonly string[]; readonly stepMs: number }> {
  const group = await startGroup(options, what);
  try {
    const random = new Generator(options.seed);
    const stepMs = stepMsOf(group);
    for (let index = 0; index < options.count; index++) {
      options.log(`recovery: ${what.name} ${index + 1} of ${options.count}`);
      await once(group, random, index);
    }
    return { violations: await endAndCheck(group), stepMs };
  } finally {
    await group.dispose();
  }
}

function lostSteps(name: string, violations: readonly string[]): RecoveryFigure {
  return {
    ...{ name, metric: "steps lost or repeated", unit: "steps", values: [violations.length] },
    goal: { text: "0", isMet: violations.length === 0 },
  };
}

export async function measureKills(options: MeasureOptions): Promise<readonly RecoveryFigure[]> {
  const values: number[] = [];
  const run = { name: "kill", workers: ["k0", "k1", "k2"] };
  const { violations, stepMs } = await measured(options, run, async (group, random, index) => {
    const names = [...group.workers.keys()];
    const victim = names[random.integer(names.length)]!;
    await group.waitForProgress(1 + random.integer(4), healMs);
    await pauseIntoStep(random, stepMsOf(group));
    const generation = generationOf(group);
    const killedMs = Date.now();
    group.signal(victim, "SIGKILL");
    values.push(timeOf(await firstCommitAfter(group, generation)) - killedMs);
    await group.addWorker(`k${index + 3}`);
    await group.waitForMembers([...group.workers.keys()], healMs);
  });
  const limit = 1_000 + stepMs;
  return [
    {
      ...{ name: "kill -9 of one of three", metric: "to the next commit", unit: "ms", values },
      goal: { text: `p95 within 1 s + a step (${Math.round(limit)} ms)`, isMet: quantile(values, 0.95) <= limit },
    },
    lostSteps("kill -9 of one of three", violations),
  ];
}

export async function measureFreezes(options: MeasureOptions): Promise<readonly RecoveryFigure[]> {
  const values: number[] = [];
  const run = { name: "freeze", workers: ["f0", "f1", "f2"] };
  const { violations, stepMs } = await measured(options, run, async (group, random) => {
    const victim = run.workers[random.integer(3)]!;
    await group.waitForProgress(1 + random.integer(4), healMs);
    await pauseIntoStep(random, stepMsOf(group));
    const generation = generationOf(group);
    const frozenMs = Date.now();
    group.signal(victim, "SIGSTOP");
    values.push(timeOf(await firstCommitAfter(group, generation)) - frozenMs);
    group.signal(victim, "SIGCONT");
    await group.waitForMembers(run.workers, healMs);
  });
  // The step itself must be computed as well, so the goal is for the decision and one step.
  const limit = Math.max(2_000, 3 * stepMs);
  return [
    {
      ...{ name: "SIGSTOP of one of three", metric: "to the next commit", unit: "ms", values },
      goal: { text: `within max(2 s, 3 steps) = ${Math.round(limit)} ms`, isMet: quantile(values, 1) <= limit },
    },
    lostSteps("SIGSTOP of one of three", violations),
  ];
}

export async function measureJoins(options: MeasureOptions): Promise<readonly RecoveryFigure[]> {
  const fromStart: number[] = [];
  const fromHello: number[] = [];
  const pauses: number[] = [];
  const run = { name: "join", workers: ["j0", "j1"] };
  const { violations, stepMs } = await measured(options, run, async (group, _random, index) => {
    const name = `late${index}`;
    const { length: from } = group.events();
    const usualMs = stepMsOf(group);
    const startedMs = Date.now();
    await group.addWorker(name);
    await group.waitForMembers([...run.workers, name], healMs);
    const events = group.events().slice(from);
    const joined = timeOf(events.find((event) => event.type === "joined" && event.name === name)!);
    const contributed = timeOf(firstContribution(events, name));
    fromStart.push(contributed - startedMs);
    fromHello.push(contributed - joined);
    const commits = group
      .events()
      .filter(({ type }) => type === "commit")
      .map(timeOf);
    const during = commits.filter((time) => time >= startedMs - 2 * usualMs && time <= contributed);
    pauses.push(Math.max(...during.slice(1).map((time, at) => time - during[at]!)));
    group.signal(name, "SIGKILL");
    await group.waitForMembers(run.workers, healMs);
  });
  const name = "late join to two of three";
  return [
    {
      ...{ name, metric: "hello to first contribution", unit: "ms", values: fromHello },
      goal: { text: "within 3 s", isMet: quantile(fromHello, 1) <= 3_000 },
    },
    { name, metric: "process start to first contribution", unit: "ms", values: fromStart },
    {
      ...{
        name,
        metric: `longest gap between commits meanwhile, step ${Math.round(stepMs)} ms`,
        unit: "ms",
        values: pauses,
      },
      goal: { text: "at most one step more", isMet: quantile(pauses, 1) <= 2 * stepMs },
    },
    lostSteps(name, violations),
  ];
}

/** The first commit of a generation in which the worker has micro-batches. */
function firstContribution(events: readonly Line[], name: string): Line {
  const at = events.findIndex(({ type, members, nodesByRank }) => {
    if (type !== "generation") return false;
    const rank = (members as { name: string }[]).findIndex((member) => member.name === name);
    const nodes = (nodesByRank as unknown[][] | undefined)?.[rank];
    return rank >= 0 && (nodes === undefined || nodes.length > 0);
  });
  const commit = events.slice(Math.max(0, at)).find(({ type }) => type === "commit");
  if (at < 0 || commit === undefined) throw new Error(`recovery: ${name} was never given micro-batches`);
  return commit;
}

export async function measureCoordinatorRestarts(options: MeasureOptions): Promise<readonly RecoveryFigure[]> {
  const values: number[] = [];
  const run = { name: "coordinator", workers: ["c0", "c1", "c2"] };
  const { violations } = await measured(options, run, async (group, random) => {
    await group.waitForProgress(1 + random.integer(4), healMs);
    await pauseIntoStep(random, stepMsOf(group));
    const killedMs = Date.now();
    await group.killCoordinator();
    await pause(1); // so that no line of the dead one has this time
    const { step } = group;
    await group.restartCoordinator();
    await group.waitForStep(step + 1, healMs);
    const first = group.events().find((event) => event.type === "commit" && event.step > step)!;
    values.push(timeOf(first) - killedMs);
    await group.waitForMembers(run.workers, healMs);
  });
  const name = "coordinator killed and restarted at once";
  return [
    {
      ...{ name, metric: "kill to the next commit", unit: "ms", values },
      goal: { text: "within 5 s", isMet: quantile(values, 1) <= 5_000 },
    },
    lostSteps(name, violations),
  ];
}
