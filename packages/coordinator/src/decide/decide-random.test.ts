import fc from "fast-check";
import { expect, test } from "vitest";
import { nextDeadlineMs } from "./decide.js";
import { hashA, hashB, ScriptedRun } from "./scripted-run.testkit.js";

/** One thing that happens, drawn at random; those that have no place in the phase must change nothing. */
type Happening = (run: ScriptedRun) => void;

const workerId = fc.constantFrom("w0", "w1", "w2");

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 3, arbitrary: workerId.map((id) => (run: ScriptedRun) => !run.state.workers.has(id) && run.join(id)) },
  { weight: 3, arbitrary: workerId.map((id) => (run: ScriptedRun) => run.ready(id)) },
  { weight: 4, arbitrary: workerId.map((id) => (run: ScriptedRun) => run.links(id)) },
  {
    weight: 9,
    arbitrary: workerId.map((id) => (run: ScriptedRun) => run.state.step && reportIfMember(run, id, hashA)),
  },
  {
    weight: 1,
    arbitrary: workerId.map((id) => (run: ScriptedRun) => run.state.step && reportIfMember(run, id, hashB)),
  },
  { weight: 5, arbitrary: workerId.map((id) => (run: ScriptedRun) => run.applied(id)) },
  { weight: 5, arbitrary: workerId.map((id) => (run: ScriptedRun) => run.last(id, "commit") && run.evaluated(id)) },
  { weight: 3, arbitrary: workerId.map((id) => (run: ScriptedRun) => run.checkpointDone(id)) },
  { weight: 3, arbitrary: fc.constant((run: ScriptedRun) => run.state.writing !== undefined && run.written()) },
  { weight: 1, arbitrary: workerId.map((id) => (run: ScriptedRun) => run.leave(id)) },
  { weight: 1, arbitrary: fc.constant((run: ScriptedRun) => run.event({ kind: "stop", reason: "Ctrl-C" })) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 400_000 }).map((ms) => (run: ScriptedRun) => run.tick(run.nowMs + ms)),
  },
);

function reportIfMember(run: ScriptedRun, id: string, gradientHash: string): void {
  if (run.state.members.includes(id)) run.report(id, { gradientHash });
}

const checkpoints = { intervalSteps: 2, intervalMs: 0, keepsBest: true, keepLast: 1 };

test("whatever happens in whatever order: steps count up by one, every wait has a deadline, the end is said once", () => {
  const endings = new Set<string>();
  fc.assert(
    fc.property(fc.boolean(), fc.array(happening, { minLength: 20, maxLength: 120 }), (isStarted, happenings) => {
      const run = new ScriptedRun({ minWorkers: 2, maxWorkers: 3, stopStep: 4, checkpoints });
      let committed = 0;
      if (isStarted) run.start("w0", "w1");
      for (const happen of happenings) {
        const wasStopped = run.state.phase === "stopped";
        const numSent = run.sent.length + run.events.length;
        happen(run);
        const { state } = run;
        // Back only where nobody who holds the state is left.
        if (state.committedStep < committed) expect(run.beginsAt.at(-1)).toBe(state.committedStep);
        else expect(state.committedStep - committed).toBeOneOf([0, 1]);
        committed = state.committedStep;
        if (wasStopped) expect(run.sent.length + run.events.length).toBe(numSent);
        else if (state.phase !== "stopped") expect(Number.isFinite(nextDeadlineMs(state))).toBe(true);
      }
      // Time alone brings every run to its end.
      const everyone = [...run.state.workers.keys()];
      for (let i = 0; i < 60 && run.state.phase !== "stopped"; i++) run.tick(nextDeadlineMs(run.state) + 1, everyone);
      expect(run.state.phase).toBe("stopped");
      expect(run.summary).toBeDefined();
      committed = run.state.committedStep;
      expect(run.summary!.steps).toBe(committed);
      const commits = run.events.filter(({ type }) => type === "commit").map(({ step }) => step);
      expect(commits).toEqual(Array.from({ length: committed }, (_, i) => i + 1));
      expect(run.metrics.map(({ step }) => step)).toEqual(commits);
      endings.add(run.summary!.error?.code ?? run.summary!.status);
    }),
    { seed: 11, numRuns: 1_500 },
  );
  // The dice did reach the corners they are thrown for.
  expect([...endings]).toEqual(
    expect.arrayContaining(["interrupted", "E_WORKER_LOST", "E_REPLICAS_DIFFER", "E_JOIN_TIMEOUT"]),
  );
});
