/**
 * @file The eight scenarios of Horovod's elastic test suite (test/integration/elastic_common.py, of the same names), with what Lockstep
 * does in each: real decisions, sessions and exchange in virtual time. A "host" there has two ranks, here two workers.
 */
import { plainSimLoop } from "@lockstep/worker/testing";
import { expect, test } from "vitest";
import { findBrokenLaws } from "./laws.js";
import type { PlannedFault, Schedule } from "./schedule.js";
import type { SimJob } from "./sim-coordinator.js";
import { type SimOutcome, Simulation } from "./simulate.js";

/** After the commit of this step: what happens, and to whom of those who are well then. */
type Fault = readonly [step: number, kind: PlannedFault["kind"], index?: number, forMs?: number];

const stopStep = 24;

function scheduleOf(numWorkers: number, faults: readonly Fault[], change: Partial<SimJob> = {}): Schedule {
  const job: SimJob = {
    numMicroBatches: 8,
    stopStep,
    minWorkers: numWorkers,
    maxWorkers: 4,
    evalIntervalSteps: 0,
    checkpointIntervalSteps: 5,
    auditRate: 0,
    ...change,
  };
  return {
    seed: 5,
    job,
    numWorkers,
    delayMs: [0.1, 3],
    controlDelayMs: [1, 6],
    msPerMicroBatch: [5],
    faults: faults.map(([step, kind, index = 0, forMs = 0], at) => ({
      ...{ step, kind, forMs, afterMs: 3 + at },
      pick: (index + 0.5) / 4,
    })),
  };
}

interface Finished extends SimOutcome {
  /** Laws that are broken. */
  readonly broken: readonly string[];
  /** Of the generations, in order, that committed steps. */
  readonly worldSizes: readonly number[];
}

async function runScenario(schedule: Schedule): Promise<Finished> {
  const outcome = await new Simulation(schedule).run();
  const worldSizes: number[] = [];
  for (const { worldSize } of outcome.disk.metrics) if (worldSizes.at(-1) !== worldSize) worldSizes.push(worldSize);
  return { ...outcome, broken: findBrokenLaws(schedule, outcome), worldSizes };
}

test("hosts_added_and_removed: one host, two, then the second alone; the bits are those of the undisturbed run", async () => {
  const added: Fault[] = [
    [1, "join"],
    [1, "join"],
  ];
  const removed: Fault[] = [
    [14, "kill", 0],
    [14, "kill", 0],
  ];
  const { broken, worldSizes, summary, disk } = await runScenario(scheduleOf(2, [...added, ...removed]));
  expect(broken).toEqual([]);
  expect([worldSizes[0], Math.max(...worldSizes), worldSizes.at(-1)]).toEqual([2, 4, 2]);
  expect(summary.worldSize).toBe(2);
  const last = disk.events.findLast(({ type }) => type === "generation")!;
  expect((last.members as { name: string }[]).map(({ name }) => name)).toEqual(["w2", "w3"]);
});

test("single_rank_failure: Horovod gives up the rank's whole host; Lockstep goes on with the other three ranks", async () => {
  const { broken, worldSizes, summary } = await runScenario(scheduleOf(4, [[1, "kill", 0]]));
  expect(broken).toEqual([]);
  expect(worldSizes).toEqual([4, 3]);
  expect(summary.generation).toBe(2);
});

test("fault_tolerance_without_scaling: no host may come, one rank fails, the others finish alone", async () => {
  const schedule = scheduleOf(4, [[1, "kill", 3]], { minWorkers: 4, maxWorkers: 4 });
  const { broken, worldSizes, workers } = await runScenario(schedule);
  expect(broken).toEqual([]);
  expect(worldSizes).toEqual([4, 3]);
  expect(workers).toHaveLength(4);
});

test("all_ranks_failure: Horovod fails; Lockstep waits, and new workers go on from the last checkpoint", async () => {
  const { broken, disk, summary, workers } = await runScenario(scheduleOf(4, [[13, "killAll", 0, 1_000]]));
  expect(broken).toEqual([]);
  expect(summary.status).toBe("completed");
  // Four that were lost, four that came; checkpoints are made every five steps.
  expect(workers).toHaveLength(8);
  expect(disk.events.find(({ type }) => type === "resumed")).toMatchObject({ step: 10 });
  expect(disk.journal).toContainEqual({ kind: "rewind", step: 10 });
});

test("all_hosts_blacklisted: Horovod fails when a rank of each host has failed; Lockstep bans workers, not hosts, and goes on", async () => {
  const schedule = scheduleOf(4, [
    [1, "kill", 0],
    [1, "kill", 1],
  ]);
  const { broken, worldSizes, disk } = await runScenario(schedule);
  expect(broken).toEqual([]);
  expect(worldSizes.at(-1)).toBe(2);
  expect(disk.events.filter(({ type }) => type === "banned" || type === "strike")).toEqual([]);
});

test("min_hosts_timeout: too few ranks are left and nobody comes: the run ends with its own code, and a checkpoint of its last step", async () => {
  const schedule = scheduleOf(4, [[3, "kill", 0]], { minWorkersToGoOn: 4 });
  const { summary, disk, virtualMs } = await new Simulation(schedule).run();
  expect(summary).toMatchObject({ status: "failed", error: { code: "E_JOIN_TIMEOUT" } });
  expect(virtualMs).toBeGreaterThan(300_000);
  expect(disk.events.map(({ type }) => type)).toContain("waiting");
  const { steps } = summary;
  expect(steps).toBeLessThan(stopStep);
  const plain = plainSimLoop({ seed: schedule.seed, numMicroBatches: 8, steps });
  expect(disk.checkpoints.get(steps)?.paramsSha256).toBe(plain.paramsSha256);
});

test("reset_limit: Horovod may be told to fail after so many changes of membership; Lockstep has no such limit, six cost time only", async () => {
  const faults = [1, 3, 5, 7].flatMap((step): Fault[] => [
    [step, "kill", 1],
    [step, "join"],
  ]);
  const { broken, summary } = await runScenario(scheduleOf(2, faults));
  expect(broken).toEqual([]);
  expect(summary.status).toBe("completed");
  expect(summary.generation).toBeGreaterThanOrEqual(7);
});

test("resurrecting_blacklisted_hosts_exponential_backoff: Horovod lets a failed host cool down for longer each time; a worker that Lockstep evicted is back at the next commit, each time", async () => {
  const faults: Fault[] = [
    [1, "freeze", 3, 2_000],
    [14, "freeze", 3, 2_000],
  ];
  const schedule = { ...scheduleOf(4, faults), msPerMicroBatch: [150] };
  const { broken, disk, summary, workers } = await runScenario(schedule);
  expect(broken).toEqual([]);
  const of = (type: string) => disk.events.filter((event) => event.type === type).map(({ name }) => name);
  expect([of("evicted"), of("returned")]).toEqual([
    ["w3", "w3"],
    ["w3", "w3"],
  ]);
  expect(summary.worldSize).toBe(4);
  expect(workers).toHaveLength(4);
});
