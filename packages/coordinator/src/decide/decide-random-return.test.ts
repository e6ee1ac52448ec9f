import fc from "fast-check";
import { expect, test } from "vitest";
import { nextDeadlineMs } from "./decide.js";
import { hashA, hashB, ScriptedRun } from "./scripted-run.testkit.js";

/** One thing that happens, drawn at random, in runs whose workers come back, lie, lose links and fail. */
type Happening = (run: ScriptedRun) => void;

const workerId = fc.constantFrom("w0", "w1", "w2", "w3");
const mostly = fc.oneof({ weight: 9, arbitrary: fc.constant(hashA) }, { weight: 1, arbitrary: fc.constant(hashB) });
const near = fc.integer({ min: -2, max: 1 });
const code = fc.constantFrom("E_NOT_FINITE", "E_FRAME_REFUSED", "E_PEER_LOST", "E_PEER_TIMEOUT", "E_UNHEARD_OF");

function stepNear(run: ScriptedRun, offset: number): number {
  return Math.max(0, run.state.committedStep + offset);
}

function report(run: ScriptedRun, id: string, gradientHash: string, stateHash: string): void {
  if (run.state.step === undefined || !run.state.members.includes(id)) return;
  run.report(id, { gradientHash, previous: { stateHash, gradNorm: null, learningRate: null } });
}

function stepFailed(run: ScriptedRun, id: string, failure: { code: string; accusedId: string; at: number }): void {
  const { step } = run.state;
  if (step === undefined) return;
  const { assignment } = step;
  const node = assignment.nodesByRank.flat()[failure.at] ?? null;
  const { step: k, generation, attempt } = assignment;
  const { code: why, accusedId } = failure;
  const body = { step: k, generation, attempt, code: why, message: why, accusedId, node, tensor: null };
  run.say(id, { name: "stepFailed", body });
}

/** Everyone does what the phase waits for. */
function goOn(run: ScriptedRun): void {
  const { phase, workers } = run.state;
  const { startStep } = run.state.plan;
  for (const { workerId: id, status, hello } of workers.values())
    if (status === "preparing") run.ready(id, { state: { step: hello.held?.step ?? startStep, stateHash: hashA } });
  if (phase === "linking") run.linkAll();
  else if (phase === "stepping") run.step();
  else if (phase === "following") run.follow();
}

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 15, arbitrary: fc.constant(goOn) },
  {
    weight: 4,
    arbitrary: fc.tuple(workerId, near, fc.boolean()).map(([id, offset, isBack]) => (run: ScriptedRun) => {
      if (run.state.workers.has(id)) return;
      const step = stepNear(run, offset);
      const reported = { step: step + 1, gradientHash: hashA };
      run.join(id, { held: isBack ? { runId: "run", term: 1, step, stateHash: hashA, reported } : null });
    }),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(workerId, mostly).map(([id, stateHash]) => (run: ScriptedRun) => {
      const step = run.state.workers.get(id)?.hello.held?.step ?? run.state.plan.startStep;
      run.ready(id, { state: { step, stateHash } });
    }),
  },
  { weight: 2, arbitrary: fc.constant((run: ScriptedRun) => run.linkAll()) },
  { weight: 2, arbitrary: workerId.map((id) => (run: ScriptedRun) => run.links(id, { blocked: [0] })) },
  {
    weight: 12,
    arbitrary: fc.tuple(workerId, mostly, mostly).map(
      ([id, gradient, state]) =>
        (run: ScriptedRun) =>
          report(run, id, gradient, state),
    ),
  },
  { weight: 8, arbitrary: fc.constant((run: ScriptedRun) => run.state.step !== undefined && run.step()) },
  {
    weight: 3,
    arbitrary: fc.tuple(workerId, code, workerId, fc.nat(3)).map(
      ([id, why, accusedId, at]) =>
        (run: ScriptedRun) =>
          stepFailed(run, id, { code: why, accusedId, at }),
    ),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(workerId, mostly).map(
      ([id, hash]) =>
        (run: ScriptedRun) =>
          run.applied(id, hash),
    ),
  },
  { weight: 5, arbitrary: workerId.map((id) => (run: ScriptedRun) => run.evaluated(id)) },
  {
    weight: 6,
    arbitrary: fc.tuple(workerId, near, mostly).map(([id, offset, stateHash]) => (run: ScriptedRun) => {
      run.say(id, { name: "level", body: { step: stepNear(run, offset), stateHash } });
    }),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(workerId, near).map(([id, offset]) => (run: ScriptedRun) => {
      const gradient = { sha256: "d".repeat(64), byteLength: 40 };
      run.say(id, { name: "gradientStored", body: { step: Math.max(1, stepNear(run, offset)), gradient } });
    }),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(workerId, mostly).map(
      ([id, hash]) =>
        (run: ScriptedRun) =>
          run.checkpointDone(id, hash),
    ),
  },
  {
    weight: 1,
    arbitrary: workerId.map((id) => (run: ScriptedRun) => {
      const { snapshot, generation } = run.state;
      if (snapshot === undefined) return;
      const body = { generation, step: snapshot.step, code: "E_DISK", message: "no room" };
      run.say(id, { name: "checkpointFailed", body });
    }),
  },
  { weight: 3, arbitrary: fc.constant((run: ScriptedRun) => run.state.writing !== undefined && run.written()) },
  {
    weight: 1,
    arbitrary: fc.constant((run: ScriptedRun) => {
      const { writing } = run.state;
      if (writing !== undefined)
        run.event({ kind: "checkpointWriteFailed", step: writing.step, message: "no space left on device" });
    }),
  },
  { weight: 3, arbitrary: workerId.map((id) => (run: ScriptedRun) => run.leave(id)) },
  {
    weight: 1,
    arbitrary: workerId.map((id) => (run: ScriptedRun) => run.event({ kind: "violated", workerId: id, what: "no" })),
  },
  {
    weight: 1,
    arbitrary: workerId.map((id) => (run: ScriptedRun) => {
      const what = { phase: "step", code: "E_OUT_OF_MEMORY", message: "full", step: null, tensor: null } as const;
      run.say(id, { name: "workerError", body: { ...what, isStateIntact: true } });
    }),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 30_000 }), fc.subarray(["w0", "w1", "w2", "w3"], { maxLength: 1 }))
      .map(
        ([ms, silent]) =>
          (run: ScriptedRun) =>
            run.tick(run.nowMs + ms, silent),
      ),
  },
);

const checkpoints = { intervalSteps: 2, intervalMs: 500, keepsBest: true, keepLast: 1 };
const history = {
  generation: 3,
  committedStep: 2,
  metrics: undefined,
  members: ["w0", "w1"],
  storedSteps: [],
  evaluations: new Map<number, number>(),
  best: undefined,
  strikes: new Map<string, number>(),
  banned: new Map<string, { name: string; reason: string }>(),
};

/** What must hold after every event. */
function assertWhole(run: ScriptedRun): void {
  const { state } = run;
  if (state.phase === "stopped") return;
  expect(Number.isFinite(nextDeadlineMs(state)) || state.workers.size === 0).toBe(true);
  expect(new Set(state.members).size).toBe(state.members.length);
  for (const { workerId: id, status } of state.workers.values())
    if (status === "member") expect(state.members).toContain(id);
  expect(state.members.length).toBeLessThanOrEqual(3);
  for (const id of state.banned.keys()) expect(state.workers.has(id)).toBe(false);
  if (state.step === undefined) return;
  const { assignment } = state.step;
  expect(assignment).toMatchObject({ step: state.committedStep + 1, generation: state.generation });
  expect(assignment.nodesByRank).toHaveLength(state.members.length);
  expect(run.covered()).toEqual([0, 1, 2, 3]);
}

test("workers come back, lie, lose links and fail: every assignment covers the step once, no step is committed twice", () => {
  const endings = new Set<string>();
  const seen = new Set<string>();
  const starts = fc.constantFrom("cold", "running", "takenUp");
  const lives = fc.array(happening, { minLength: 20, maxLength: 150 });
  fc.assert(
    fc.property(starts, fc.integer({ min: 1, max: 2 }), lives, (start, minWorkersToGoOn, happenings) => {
      const run = new ScriptedRun({
        minWorkers: 2,
        minWorkersToGoOn,
        maxWorkers: 3,
        stopStep: 4,
        evalIntervalSteps: 2,
        joinFailure: "refuse",
        trust: { auditRate: 0.2, outlierFactor: 20, maxStrikes: 2 },
        checkpoints,
        history: start === "takenUp" ? history : undefined,
      });
      if (start === "running") run.start("w0", "w1", "w2");
      for (const happen of happenings) {
        const before = run.state;
        const numSent = run.sent.length + run.events.length;
        const numBegun = run.beginsAt.length;
        happen(run);
        if (before.phase === "stopped") expect(run.sent.length + run.events.length).toBe(numSent);
        const hasGoneBack = run.beginsAt.length > numBegun;
        if (before.isSettled && !hasGoneBack)
          expect(run.state.committedStep).toBeGreaterThanOrEqual(before.committedStep);
        expect(run.state.generation).toBeGreaterThanOrEqual(before.generation);
        assertWhole(run);
      }
      const everyone = ["w0", "w1", "w2", "w3"];
      for (let i = 0; i < 100 && run.state.phase !== "stopped"; i++)
        run.tick(Math.min(nextDeadlineMs(run.state), run.nowMs + 1e6) + 1, everyone);
      expect(run.state.phase).toBe("stopped");
      expect(run.summary!.steps).toBe(run.state.committedStep);
      const commits = run.events.filter(({ type }) => type === "commit").map(({ step }) => step);
      const first = (commits[0] ?? 1) - 1;
      expect(commits).toEqual(commits.map((_, i) => first + 1 + i));
      expect(run.metrics.map(({ step }) => step)).toEqual(commits);
      let journalled: number[] = [];
      for (const entry of run.journal) {
        if (entry.kind === "commit") journalled.push(entry.step);
        if (entry.kind === "rewind") journalled = journalled.filter((step) => step <= entry.step);
      }
      expect(journalled).toEqual(commits);
      endings.add(run.summary!.error?.code ?? run.summary!.status);
      for (const type of run.types()) seen.add(type);
    }),
    { seed: 23, numRuns: 400 },
  );
  expect([...endings]).toEqual(expect.arrayContaining(["completed", "E_REPLICAS_DIFFER", "E_JOIN_TIMEOUT"]));
  const corners = ["resumed", "returned", "outvoted", "strike", "banned", "waiting", "attempt", "audited", "evicted"];
  expect([...seen]).toEqual(expect.arrayContaining(corners));
});
