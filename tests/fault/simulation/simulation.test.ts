/**
 * @file Seeded schedules of faults against the real decisions, sessions and exchange in virtual time. `npm run test:fault` runs 10,000;
 * SEED=n replays one and prints what happened.
 */
import { expect, test } from "vitest";
import { findBrokenLaws } from "./laws.js";
import { planSchedule } from "./schedule.js";
import { Simulation } from "./simulate.js";

const numSchedules = Number(process.env.SCHEDULES ?? 150);
const onlySeed = process.env.SEED === undefined ? undefined : Number(process.env.SEED);

async function judge(
  seed: number,
): Promise<{ readonly broken: readonly string[]; readonly fired: readonly string[]; readonly told: string }> {
  const schedule = planSchedule(seed);
  const simulation = new Simulation(schedule);
  try {
    const outcome = await simulation.run();
    return { broken: findBrokenLaws(schedule, outcome), fired: outcome.fired, told: simulation.describe() };
  } catch (error) {
    return { broken: [String(error)], fired: simulation.fired, told: simulation.describe() };
  }
}

test("the laws hold after every schedule of faults, and every planned fault fired", {
  timeout: 3_600_000,
}, async () => {
  const counts = new Map<string, number>();
  const seeds = onlySeed === undefined ? Array.from({ length: numSchedules }, (_, i) => i + 1) : [onlySeed];
  for (const seed of seeds) {
    const { broken, fired, told } = await judge(seed);
    for (const what of fired) {
      const kind = what.split(" ")[0]!;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    expect(broken, `seed ${seed} (replay: npm run test:replay ${seed})\nfaults: ${fired.join(", ")}\n${told}`).toEqual(
      [],
    );
  }
  if (onlySeed !== undefined) return;
  const kinds = [...counts.keys()].sort();
  expect(kinds).toEqual([
    "cutControl",
    "duplicate",
    "freeze",
    "join",
    "kill",
    "killAll",
    "killCoordinator",
    "poison",
    "sever",
    "swallowControl",
  ]);
});
