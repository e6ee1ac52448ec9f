/** The control socket of one of three workers goes through a fault proxy. */
import { afterEach, expect, test } from "vitest";
import { cleanUp } from "../e2e/lockstep-process.js";
import { disturbedRun } from "./lib/disturbed-run.js";
import { pause } from "./lib/wait-until.js";
import type { TcpFaultProxy } from "./tcp-fault-proxy.js";

afterEach(cleanUp);

const workers = { a: {}, b: { isProxied: true }, c: {} };
const all = ["a", "b", "c"];

/** Breaks the socket of worker b, then waits for the run to be without it or with it again. */
async function breakSocket(
  hurt: (proxy: TcpFaultProxy) => void,
  { isLost, minWorkers = 1, totalSteps = 250 }: { isLost: boolean; minWorkers?: number; totalSteps?: number },
) {
  let fired = {};
  const run = await disturbedRun({ workers, minWorkers, totalSteps }, async (group) => {
    await group.waitForProgress(5);
    const proxy = group.workers.get("b")!.proxy!;
    hurt(proxy);
    if (isLost) await group.waitForMembers(["a", "c"]);
    else await group.waitForProgress(5);
    proxy.heal();
    await group.waitForMembers(all);
    fired = proxy.fired();
  });
  return { ...run, fired: Object.keys(fired) };
}

test("a black hole: the silent worker is evicted and comes back when the line does", async () => {
  const { violations, fired } = await breakSocket((proxy) => proxy.drop("both"), { isLost: true });
  expect(violations).toEqual([]);
  expect(fired).toEqual(["drop toClient", "drop toTarget"]);
}, 120_000);

test("a reset: the worker connects again and keeps its state", async () => {
  const { violations, fired } = await breakSocket((proxy) => proxy.reset(), { isLost: false });
  expect(violations).toEqual([]);
  expect(fired).toEqual(["reset"]);
}, 120_000);

test("a flipped bit in what a worker sends is refused, not added", async () => {
  const { violations, fired } = await breakSocket((proxy) => proxy.corrupt("toTarget", 40), { isLost: false });
  expect(violations).toEqual([]);
  expect(fired).toEqual(["corrupt toTarget"]);
}, 120_000);

test("a flipped bit in what a worker is sent is refused as well", async () => {
  const { violations, fired } = await breakSocket((proxy) => proxy.corrupt("toClient", 40), { isLost: false });
  expect(violations).toEqual([]);
  expect(fired).toEqual(["corrupt toClient"]);
}, 120_000);

test.each(["toTarget", "toClient"] as const)(
  "half-open %s: the worker connects again",
  async (direction) => {
    const { violations, fired } = await breakSocket((proxy) => proxy.halfOpen(direction), { isLost: false });
    expect(violations).toEqual([]);
    expect(fired).toEqual([`halfOpen ${direction}`]);
  },
  120_000,
);

test("a slow line, with jitter, slows the steps and breaks nothing", async () => {
  const slow = (proxy: TcpFaultProxy) => {
    proxy.delay("both", 60, 60);
    proxy.rate("toTarget", 200_000);
  };
  const { violations, fired, events } = await breakSocket(slow, { isLost: false, minWorkers: 3, totalSteps: 60 });
  expect(violations).toEqual([]);
  expect(fired).toEqual(["delay toClient", "delay toTarget", "rate toTarget"]);
  expect(events.filter(({ type }) => type === "left")).toEqual([]);
}, 120_000);

test("a cable that is cut and mended within the patience costs a moment, not a worker", async () => {
  let fired = {};
  const scenario = { workers, minWorkers: 3, totalSteps: 60 };
  const { violations, events } = await disturbedRun(scenario, async (group) => {
    await group.waitForProgress(5);
    const proxy = group.workers.get("b")!.proxy!;
    proxy.pause("both");
    await pause(300);
    proxy.resume("both");
    await group.waitForProgress(5);
    fired = proxy.fired();
  });
  expect(violations).toEqual([]);
  expect(fired).toEqual({ "pause toClient": 1, "pause toTarget": 1 });
  expect(events.filter(({ type }) => type === "left")).toEqual([]);
}, 120_000);

test("refused for a while after a reset, the worker goes on trying", async () => {
  const hurt = (proxy: TcpFaultProxy) => {
    proxy.refuse();
    proxy.reset();
  };
  const { violations, fired } = await breakSocket(hurt, { isLost: true });
  expect(violations).toEqual([]);
  expect(fired).toEqual(["refuse", "reset"]);
}, 120_000);
