import { describe, expect, test } from "vitest";
import { FrameRouter } from "../group/frame-router.js";
import { createProcessGroup, type ProcessGroup } from "../group/process-group.js";
import { plainVectorOps } from "../testing/plain-vector-ops.js";
import { assertReduction, nodesWithVectors, reductionInput, runRank } from "../testing/reduction-case.js";
import { createSimGroups } from "../testing/sim-group.js";
import { SimNetwork } from "../testing/sim-network.js";
import { nodesOf, type TreeRange } from "../tree/tree-shape.js";
import type { GradientExchangeOptions } from "./exchange-options.js";
import { bucketsOf } from "./exchange-plan.js";
import { GradientExchange } from "./gradient-exchange.js";
import { createVectorPool } from "./vector-ops.js";

const LENGTH = 1_000;
const NODES: readonly (readonly TreeRange[])[] = [[{ lo: 0, hi: 2 }], [{ lo: 2, hi: 3 }], [{ lo: 3, hi: 4 }]];

function begin(group: ProcessGroup, options: Partial<GradientExchangeOptions> = {}) {
  return new GradientExchange(group, {
    step: 1,
    attempt: 1,
    numMicroBatches: 4,
    nodesByRank: NODES,
    buckets: bucketsOf(LENGTH, 400),
    destination: new Float32Array(LENGTH),
    ops: plainVectorOps,
    ...options,
  });
}

/** Provides every bucket of a rank's nodes, each element `value`. */
function provideAll(exchange: GradientExchange, rank: number, { value = rank + 1, weight = 2 } = {}): void {
  for (const node of NODES[rank]!) {
    for (const [bucket, { length }] of bucketsOf(LENGTH, 400).entries()) {
      exchange.provide({ ...node, weight }, bucket, new Float32Array(length).fill(value));
    }
  }
}

function simulate(options: { seed?: number; deadlineMs?: number } = {}) {
  const network = new SimNetwork({ seed: options.seed ?? 1 });
  return { network, groups: createSimGroups(network, { worldSize: 3, deadlineMs: options.deadlineMs ?? 10_000 }) };
}

describe("a gradient exchange that cannot complete", () => {
  test("names the peer that died, on every survivor, and the fault fired", async () => {
    const { network, groups } = simulate();
    const exchanges = groups.map((group) => begin(group));
    provideAll(exchanges[0]!, 0);
    provideAll(exchanges[1]!, 1);
    network.at(2, () => network.drop("w2", "connection reset"));
    const outcomes = await network.clock.runUntil(Promise.allSettled(exchanges.slice(0, 2).map(({ done }) => done)));
    expect(network.fired()).toEqual(["drop w2"]);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: {
          code: "E_PEER_LOST",
          fields: { rank: 2, workerId: "w2", step: 1, generation: 1, reason: "connection reset" },
        },
      });
    }
    expect(network.clock.nowMs()).toBeLessThan(50);
  });

  test("a peer that dies after it has delivered everything hurts nobody", async () => {
    const { network, groups } = simulate();
    const exchanges = groups.map((group) => begin(group));
    for (const [rank, exchange] of exchanges.entries()) provideAll(exchange, rank);
    await network.clock.runUntil(exchanges[2]!.done);
    await network.clock.runTo(network.clock.nowMs() + 5); // its last frames arrive
    network.drop("w2");
    const results = await network.clock.runUntil(Promise.all(exchanges.slice(0, 2).map(({ done }) => done)));
    expect(results[0]!.gradientHash).toBe(results[1]!.gradientHash);
  });

  test("names the rank that did not deliver before the deadline", async () => {
    const { network, groups } = simulate({ deadlineMs: 400 });
    const exchanges = groups.map((group) => begin(group));
    provideAll(exchanges[0]!, 0);
    provideAll(exchanges[2]!, 2);
    const outcomes = await network.clock.runUntil(Promise.allSettled(exchanges.map(({ done }) => done)));
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        reason: { code: "E_PEER_TIMEOUT", fields: { rank: 1, workerId: "w1", deadlineMs: 400 } },
      });
    }
    expect((outcomes[0] as PromiseRejectedResult).reason.message).toMatchInlineSnapshot(
      `"allReduce: rank 1 (worker "w1") did not deliver bucket 1/3 of step 1 within 400 ms (generation 1, worldSize 3); every rank must deliver before the deadline. The step is not applied. If this repeats, compare its uplink with bucketBytes."`,
    );
  });

  test("a frozen worker is named at the deadline; frozen for less, it costs only time", async () => {
    for (const thawsAtMs of [300, 3_000]) {
      const { network, groups } = simulate({ deadlineMs: 1_000 });
      const exchanges = groups.map((group) => begin(group));
      network.freeze("w2");
      for (const [rank, exchange] of exchanges.entries()) provideAll(exchange, rank);
      network.at(thawsAtMs, () => network.thaw("w2"));
      const [first] = await network.clock.runUntil(Promise.allSettled(exchanges.map(({ done }) => done)));
      if (thawsAtMs < 1_000) expect(first).toMatchObject({ status: "fulfilled" });
      else expect(first).toMatchObject({ reason: { code: "E_PEER_TIMEOUT", fields: { rank: 2, workerId: "w2" } } });
      expect(network.fired()).toContain("freeze w2");
    }
  });

  test("a severed link between two living workers is a loss for both", async () => {
    const { network, groups } = simulate();
    const exchanges = groups.map((group) => begin(group));
    network.at(1, () => network.sever("w0", "w1"));
    const [first, second] = await network.clock.runUntil(
      Promise.allSettled(exchanges.slice(0, 2).map(({ done }) => done)),
    );
    expect(first).toMatchObject({
      reason: { code: "E_PEER_LOST", fields: { workerId: "w1", reason: "link severed" } },
    });
    expect(second).toMatchObject({ reason: { code: "E_PEER_LOST", fields: { workerId: "w0" } } });
    expect(network.fired()).toEqual(["sever w0 w1"]);
  });

  test("names rank, worker, node, bucket and element of a value that is not finite", async () => {
    const { network, groups } = simulate();
    const exchanges = groups.map((group) => begin(group, { deadlineMs: 100 }));
    provideAll(exchanges[0]!, 0);
    provideAll(exchanges[2]!, 2);
    for (const [bucket, { length }] of bucketsOf(LENGTH, 400).entries()) {
      const vector = new Float32Array(length);
      if (bucket === 1) vector[150] = Number.NaN;
      exchanges[1]!.provide({ lo: 2, hi: 3, weight: 1 }, bucket, vector);
    }
    const outcomes = await network.clock.runUntil(Promise.allSettled(exchanges.map(({ done }) => done)));
    const finder = outcomes.find((outcome) => outcome.status === "rejected" && outcome.reason.code === "E_NOT_FINITE");
    expect(finder).toMatchObject({
      reason: {
        fields: { rank: 1, workerId: "w1", node: { lo: 2, hi: 3 }, bucket: 1, firstIndex: 550, value: Number.NaN },
      },
    });
    expect((finder as PromiseRejectedResult).reason.message).toMatchInlineSnapshot(
      `"allReduce: rank 1 (worker "w1") delivered for micro-batches 2..2 NaN at element 550 of the flat gradient (bucket 1, step 1, generation 1); every element must be finite. Nothing was applied. Lower the learning rate or look at that batch's loss."`,
    );
  });

  test("says so when finite values add up to infinity", async () => {
    const { network, groups } = simulate();
    const exchanges = groups.map((group) => begin(group, { deadlineMs: 100 }));
    for (const [rank, exchange] of exchanges.entries()) provideAll(exchange, rank, { value: 3e38, weight: 1 });
    const [first] = await network.clock.runUntil(Promise.allSettled(exchanges.map(({ done }) => done)));
    expect(first).toMatchObject({
      reason: { code: "E_NOT_FINITE", fields: { firstIndex: 0, value: Infinity } },
    });
    expect((first as PromiseRejectedResult).reason.fields).not.toHaveProperty("workerId"); // nobody is to blame
  });

  test("refuses a step whose weights are all zero", async () => {
    const { network, groups } = simulate();
    const exchanges = groups.map((group) => begin(group, { deadlineMs: 100 }));
    for (const [rank, exchange] of exchanges.entries()) provideAll(exchange, rank, { weight: 0 });
    const [first] = await network.clock.runUntil(Promise.allSettled(exchanges.map(({ done }) => done)));
    expect(first).toMatchObject({ reason: { code: "E_NO_WEIGHT" } });
  });

  test("ends at once when its generation closes or its signal aborts", async () => {
    const { network, groups } = simulate();
    const controller = new AbortController();
    const aborted = begin(groups[0]!, { signal: controller.signal });
    const closed = begin(groups[1]!);
    controller.abort(new Error("worker w2 left"));
    groups[1]!.close("worker w2 left");
    for (const { done } of [aborted, closed]) {
      await expect(network.clock.runUntil(done)).rejects.toMatchObject({
        code: "E_GENERATION_CHANGED",
        message: expect.stringContaining("worker w2 left"),
      });
    }
  });

  test("refuses a node that is not the rank's own, another length, another weight and a bucket given twice", () => {
    const { groups } = simulate();
    const exchange = begin(groups[0]!);
    const vector = new Float32Array(400);
    const refused = expect.objectContaining({ code: "E_ARGUMENT" });
    expect(() => exchange.provide({ lo: 2, hi: 3, weight: 1 }, 0, vector)).toThrow(refused);
    expect(() => exchange.provide({ lo: 0, hi: 2, weight: 1 }, 0, vector.subarray(1))).toThrow(refused);
    exchange.provide({ lo: 0, hi: 2, weight: 1 }, 0, vector);
    expect(() => exchange.provide({ lo: 0, hi: 2, weight: 1 }, 0, vector)).toThrow(refused);
    expect(() => exchange.provide({ lo: 0, hi: 2, weight: 5 }, 1, vector)).toThrow(refused);
  });
});

describe("a gradient exchange among others", () => {
  test("frames of a step that a slow rank has not begun wait for it", async () => {
    const { network, groups } = simulate();
    const early = groups.slice(0, 2).map((group) => begin(group));
    for (const [rank, exchange] of early.entries()) provideAll(exchange, rank);
    await network.clock.runTo(500);
    expect(groups[2]!.router.counters().queuedBytes).toBeGreaterThan(0);
    const late = begin(groups[2]!);
    provideAll(late, 2);
    const results = await network.clock.runUntil(Promise.all([...early, late].map(({ done }) => done)));
    expect(new Set(results.map(({ gradientHash }) => gradientHash)).size).toBe(1);
    expect(groups[2]!.router.counters()).toMatchObject({ queuedBytes: 0, numStale: 0 });
  });

  test("frames of an attempt that was given up are dropped and counted, and the new attempt is exact", async () => {
    const { network, groups } = simulate();
    const first = groups.map((group) => begin(group));
    for (const [rank, exchange] of first.entries()) provideAll(exchange, rank, { value: 1e9 });
    for (const exchange of first) exchange.abort("a new attempt");
    const destinations = groups.map(() => new Float32Array(LENGTH));
    const second = groups.map((group, rank) => begin(group, { attempt: 2, destination: destinations[rank]! }));
    for (const [rank, exchange] of second.entries()) provideAll(exchange, rank);
    await network.clock.runUntil(Promise.all(second.map(({ done }) => done)));
    for (const destination of destinations) expect(new Set(destination)).toEqual(new Set([1])); // (1 + (2 + 3)) / 6
    await network.clock.runTo(network.clock.nowMs() + 100);
  });

  test("an attempt given up at any moment writes nothing into the memory of the next one", async () => {
    let numStale = 0;
    for (let seed = 0; seed < 200; seed++) {
      const { network, groups } = simulate({ seed });
      const destinations = groups.map(() => new Float32Array(LENGTH));
      const pools = groups.map(() => createVectorPool()); // as a worker has one
      const run = (attempt: number, value?: number) =>
        groups.map((group, rank) => {
          const exchange = begin(group, { attempt, destination: destinations[rank]!, pool: pools[rank]! });
          provideAll(exchange, rank, value === undefined ? {} : { value });
          return exchange;
        });
      const first = run(1, 1e9);
      await network.clock.runTo(seed / 40);
      for (const exchange of first) exchange.abort("a new attempt");
      const second = run(2);
      await network.clock.runUntil(Promise.all(second.map(({ done }) => done)));
      await network.clock.runTo(network.clock.nowMs() + 50);
      for (const destination of destinations) expect(new Set(destination)).toEqual(new Set([1]));
      for (const { router } of groups) numStale += router.counters().numStale;
    }
    expect(numStale).toBeGreaterThan(200); // frames of the first attempts did arrive late
  });

  test("frames of a generation that is over are dropped and counted", async () => {
    const network = new SimNetwork({ seed: 4 });
    const [a, b] = [network.createTransport("w0"), network.createTransport("w1")];
    const routers = [new FrameRouter(a), new FrameRouter(b)] as const;
    const options = { members: ["w0", "w1"], clock: network.clock, deadlineMs: 1_000 };
    const old = createProcessGroup({ ...options, generation: 1, router: routers[0] });
    createProcessGroup({ ...options, generation: 2, router: routers[1] });
    const nodesByRank = [[{ lo: 0, hi: 4 }], []];
    const exchange = begin(old, { nodesByRank });
    exchange.provide({ lo: 0, hi: 4, weight: 1 }, 0, new Float32Array(400));
    await network.clock.runTo(100);
    expect(routers[1].counters()).toMatchObject({ numStale: 2, queuedBytes: 0 });
    exchange.abort("done");
  });

  test("a queue past its bound pauses the peer, and nothing is lost when the step begins", async () => {
    const network = new SimNetwork({ seed: 6, maxQueuedBytesPerPeer: 3_000 });
    const members = ["w0", "w1"];
    const routers = members.map((id) => new FrameRouter(network.createTransport(id), { maxQueuedBytesPerPeer: 2_000 }));
    const groups = routers.map((router) =>
      createProcessGroup({ generation: 1, members, router, clock: network.clock, deadlineMs: 10_000 }),
    );
    const length = 20_000;
    const options = { nodesByRank: [[{ lo: 0, hi: 4 }], []], buckets: bucketsOf(length, 400), maxFrameBytes: 88 + 400 };
    const first = begin(groups[0]!, { ...options, destination: new Float32Array(length) });
    for (const [bucket, { length: n }] of options.buckets.entries()) {
      first.provide({ lo: 0, hi: 4, weight: 1 }, bucket, new Float32Array(n).fill(bucket));
    }
    await network.clock.runTo(500);
    expect(routers[1]!.counters().queuedBytes).toBeLessThan(2_000 + 3_000 + 400);
    const destination = new Float32Array(length);
    const second = begin(groups[1]!, { ...options, destination });
    await network.clock.runUntil(Promise.all([first.done, second.done]));
    expect(destination[length - 1]).toBe(options.buckets.length - 1);
  });

  test("a frame that claims another rank than its sender's is dropped and counted", async () => {
    const network = new SimNetwork({ seed: 8 });
    const violations: string[] = [];
    const members = ["w0", "w1"];
    const router = new FrameRouter(network.createTransport("w0"), {
      onViolation: (id, what) => violations.push(`${id} ${what}`),
    });
    createProcessGroup({ generation: 1, members, router, clock: network.clock, deadlineMs: 10 });
    const { emptyBulkHeader } = await import("@lockstep/protocol");
    const header = { ...emptyBulkHeader, kind: "barrier", stream: "collective", generation: 1, senderRank: 0 } as const;
    await network.clock.runUntil(network.createTransport("w1").send("w0", { header, payload: new Uint8Array(0) }));
    await network.clock.runTo(20);
    expect(violations).toEqual(["w1 sent a frame as rank 0; its rank is 1"]);
    expect(router.counters().numViolations).toBe(1);
  });
});

describe("ranks without nodes", () => {
  test.each([
    [2, [1]],
    [2, [0]],
    [3, [0, 2]],
    [4, [1, 2]],
    [5, [0, 4]],
    [5, [2]],
  ])("worldSize %i: ranks %j own shards, reduce and receive like the others", async (worldSize, idle) => {
    const options = { seed: worldSize, worldSize, numMicroBatches: 7, length: 2_003, bucketElements: 500 };
    const input = reductionInput(options);
    const busy = Array.from({ length: worldSize }, (_, rank) => rank).filter((rank) => !idle.includes(rank));
    const nodesByRank: TreeRange[][] = Array.from({ length: worldSize }, () => []);
    for (const [i, node] of nodesOf(0, 7, 7)
      .flatMap(({ lo, hi }) => leavesOf(lo, hi))
      .entries())
      nodesByRank[busy[i % busy.length]!]!.push(node);
    for (const ringAbove of [1, 8]) {
      const network = new SimNetwork({ seed: worldSize });
      const groups = createSimGroups(network, { worldSize });
      const runs = groups.map((group) => runRank(group, { ...options, ringAbove }, { ...input, nodesByRank }));
      const results = await network.clock.runUntil(Promise.all(runs));
      assertReduction(input, results);
      for (const rank of idle) expect(results[rank]!.nodeSquares.every(({ sumSquares }) => sumSquares > 0)).toBe(true);
    }
  });
});

function leavesOf(lo: number, hi: number): TreeRange[] {
  return Array.from({ length: hi - lo }, (_, i) => ({ lo: lo + i, hi: lo + i + 1 }));
}

test("the squares of a node's parts add up over the ranks to its squared norm, whatever the order of arrival", async () => {
  const options = { seed: 3, worldSize: 4, numMicroBatches: 9, length: 2_003, bucketElements: 300 };
  const input = reductionInput(options);
  const run = (seed: number) => {
    const network = new SimNetwork({ seed });
    const groups = createSimGroups(network, { worldSize: 4 });
    return network.clock.runUntil(Promise.all(groups.map((group) => runRank(group, options, input))));
  };
  const results = await run(1);
  const nodes = input.nodesByRank.flatMap((_, rank) => nodesWithVectors(input, rank)).sort((a, b) => a.lo - b.lo);
  expect(nodes.length).toBeGreaterThan(4);
  for (const [i, { lo, hi, vector }] of nodes.entries()) {
    const parts = results.map(({ nodeSquares }) => nodeSquares[i]!);
    for (const part of parts) expect(part).toMatchObject({ lo, hi });
    const total = parts.reduce((sum, { sumSquares }) => sum + sumSquares, 0);
    const expected = vector.reduce((sum, x) => sum + x * x, 0);
    expect(Math.abs(total - expected)).toBeLessThan(1e-12 * expected);
  }
  const again = await run(2);
  expect(again.map(({ nodeSquares }) => nodeSquares)).toEqual(results.map(({ nodeSquares }) => nodeSquares));
});

describe("bytes on the wire", () => {
  test.each([2, 3, 4, 5, 8])(
    "worldSize %i sends at most 1.02 x 2(N-1)/N x gradient bytes a rank",
    async (worldSize) => {
      const network = new SimNetwork({ seed: worldSize, delayMs: [0, 0] });
      const length = 300_000;
      const groups = createSimGroups(network, { worldSize });
      const nodesByRank = groups.map((_, rank) => [{ lo: rank, hi: rank + 1 }]);
      const exchanges = groups.map((group) =>
        begin(group, {
          numMicroBatches: worldSize,
          nodesByRank,
          buckets: bucketsOf(length, 262_144),
          destination: new Float32Array(length),
          ringAbove: 4,
        }),
      );
      for (const [rank, exchange] of exchanges.entries()) {
        for (const [bucket, { length: n }] of bucketsOf(length, 262_144).entries()) {
          exchange.provide({ lo: rank, hi: rank + 1, weight: 1 }, bucket, new Float32Array(n).fill(rank));
        }
      }
      const results = await network.clock.runUntil(Promise.all(exchanges.map(({ done }) => done)));
      const bound = (1.02 * 2 * (worldSize - 1) * 4 * length) / worldSize;
      for (const [rank, { bytesSent }] of results.entries()) {
        expect(bytesSent).toBeLessThanOrEqual(bound);
        const counted = groups[rank]!.members.map((id) => groups[rank]!.router.transport.counters(id).bytesSent);
        expect(counted.reduce((a, b) => a + b)).toBe(bytesSent);
      }
    },
  );

  test("alone, nothing is sent and the provided vector is divided once", async () => {
    const network = new SimNetwork({ seed: 1 });
    const [group] = createSimGroups(network, { worldSize: 1 });
    const destination = new Float32Array(LENGTH);
    const exchange = begin(group!, { nodesByRank: [[{ lo: 0, hi: 4 }]], destination });
    for (const [bucket, { length }] of bucketsOf(LENGTH, 400).entries()) {
      exchange.provide({ lo: 0, hi: 4, weight: 3 }, bucket, new Float32Array(length).fill(1));
    }
    const { bytesSent, totalWeight } = await network.clock.runUntil(exchange.done);
    expect({ bytesSent, totalWeight, values: [...new Set(destination)] }).toEqual({
      bytesSent: 0,
      totalWeight: 3,
      values: [Math.fround(1 / 3)],
    });
  });
});
