import { expect, test } from "vitest";
import { type ChaosAct, planChaos } from "./plan-chaos.js";
import { ChaosRun } from "./run-chaos.js";

/** An executor over workers that only remember what was done to them, and a clock that a test turns. */
function chaosOver(plan: readonly ChaosAct[], workers: number) {
  const done: string[] = [];
  const lines: string[] = [];
  const timers = new Set<{ readonly delayMs: number; readonly callback: () => void }>();
  let numWorkers = workers;
  const run = new ChaosRun({
    plan,
    workers,
    targets: {
      kill: (index, signal) => done.push(`${signal} ${index}`),
      restart: (index) => done.push(`restart ${index}`),
      add: () => {
        done.push(`add ${numWorkers}`);
        return numWorkers++;
      },
    },
    print: (line) => lines.push(line),
    schedule: (delayMs, callback) => {
      const timer = { delayMs, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
  });
  const generation = (...indices: number[]) =>
    run.onEvent({ type: "generation", members: indices.map((index) => ({ name: `local-${index}` })) });
  const fire = () => {
    for (const timer of [...timers]) {
      timers.delete(timer);
      timer.callback();
    }
  };
  return { run, done, lines, timers, generation, fire };
}

const kill = (afterStep: number, index: number): ChaosAct => ({
  kind: "kill",
  afterStep,
  index,
  sentence: `k${index}`,
});
const restart = (afterStep: number, index: number): ChaosAct => ({
  ...{ kind: "restart", afterStep, index, sentence: `r${index}` },
});
const freeze = (afterStep: number, index: number): ChaosAct => ({
  ...{ kind: "freeze", afterStep, index, forMs: 1_500, sentence: `f${index}` },
});

test("does each act at its step and says so in one line", () => {
  const join: ChaosAct = { kind: "join", afterStep: 9, index: 3, sentence: "one more" };
  const { run, done, lines, generation } = chaosOver([kill(3, 1), restart(6, 1), join], 3);
  generation(0, 1, 2);
  for (let step = 1; step <= 10; step++) run.onMetrics({ step });
  expect(done).toEqual(["SIGKILL 1", "restart 1", "add 3"]);
  expect(lines).toEqual(["chaos after step 3: k1", "chaos after step 6: r1", "chaos after step 9: one more"]);
  expect(run.left).toEqual([]);
});

test("a kill waits until another member is in, so that somebody holds the state", () => {
  const { run, done, generation } = chaosOver([kill(2, 0), restart(4, 0), kill(6, 1)], 2);
  generation(0, 1);
  for (let step = 1; step <= 8; step++) run.onMetrics({ step });
  expect(done).toEqual(["SIGKILL 0", "restart 0"]); // worker 0 is back as a process, and no member yet
  generation(1);
  run.onMetrics({ step: 9 });
  expect(done).toHaveLength(2);
  generation(1, 0);
  expect(done).toEqual(["SIGKILL 0", "restart 0", "SIGKILL 1"]);
});

test("a generation that still lists a killed worker does not count it", () => {
  const { run, done, generation } = chaosOver([kill(1, 0), kill(2, 1)], 2);
  generation(0, 1);
  run.onMetrics({ step: 1 });
  generation(0, 1);
  run.onMetrics({ step: 2 });
  expect(done).toEqual(["SIGKILL 0"]);
});

test("nothing else is broken while a worker is frozen, and it goes on after its time", () => {
  const { run, done, lines, timers, generation, fire } = chaosOver([freeze(2, 0), kill(3, 1)], 3);
  generation(0, 1, 2);
  run.onMetrics({ step: 2 });
  run.onMetrics({ step: 5 });
  expect(done).toEqual(["SIGSTOP 0"]);
  expect([...timers].map(({ delayMs }) => delayMs)).toEqual([1_500]);
  fire();
  expect(lines.at(-1)).toBe('chaos after step 5: worker "local-0" goes on (SIGCONT)');
  run.onMetrics({ step: 6 });
  expect(done).toEqual(["SIGSTOP 0", "SIGCONT 0", "SIGKILL 1"]);
});

test("stop leaves nothing frozen and breaks nothing more", () => {
  const { run, done, timers, generation } = chaosOver([freeze(1, 0), kill(2, 1)], 3);
  generation(0, 1, 2);
  run.onMetrics({ step: 1 });
  run.stop();
  run.onMetrics({ step: 3 });
  expect(done).toEqual(["SIGSTOP 0", "SIGCONT 0"]);
  expect(timers.size).toBe(0);
});

test("over members that heal at once, a whole plan is done", () => {
  const plan = planChaos({ seed: 3, workers: 3, startStep: 0, stopStep: 200 });
  const { run, done, generation, fire } = chaosOver(plan, 3);
  for (let step = 1; step <= 200; step++) {
    const dead = new Set<number>();
    for (const what of done) {
      const [verb, index] = what.split(" ");
      if (verb === "SIGKILL") dead.add(Number(index));
      if (verb === "restart") dead.delete(Number(index));
    }
    const numWorkers = done.some((what) => what.startsWith("add")) ? 4 : 3;
    generation(...Array.from({ length: numWorkers }, (_, index) => index).filter((index) => !dead.has(index)));
    run.onMetrics({ step });
    fire();
  }
  expect(run.left).toEqual([]);
  expect(plan.length).toBeGreaterThan(10);
});
