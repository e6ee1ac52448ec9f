import {
  bucketsOf,
  createProcessGroup,
  FrameRouter,
  GradientExchange,
  nodesOf,
  type TreeRange,
} from "@lockstep/collectives";
import { plainVectorOps, SimNetwork, VirtualClock } from "@lockstep/collectives/testing";
import { describe, expect, test } from "vitest";
import type { ComputeProgress, ReadyBucket } from "../engine/compute-engine.js";
import { SimEngine, type SimEngineOptions } from "./sim-engine.js";
import { plainSimLoop, simSha256 } from "./sim-model.js";

const model = { seed: 3, numMicroBatches: 7 };
const whole = [{ lo: 0, hi: 7 }];

function create(options: Partial<SimEngineOptions> = {}) {
  const clock = new VirtualClock();
  const engine = new SimEngine({ ...model, clock, msPerMicroBatch: 10, ...options });
  const run = <T>(promise: Promise<T>): Promise<T> => clock.runUntil(promise);
  return { clock, engine, run };
}

/** Steps of one worker alone: the node's sum divided by its weight. */
async function trainAlone({ engine, run }: ReturnType<typeof create>, first: number, last: number): Promise<void> {
  const { info } = await run(engine.prepare());
  for (let step = first; step <= last; step++) {
    let ready: ReadyBucket | undefined;
    await run(
      engine.computeNodes({ step, nodes: whole }, (bucket) => {
        ready = bucket;
      }),
    );
    const floats = (address: number) => new Float32Array(engine.memory.buffer, address, info.gradientFloats);
    floats(info.reducedAddress).set(floats(ready!.address).map((x) => x / ready!.weight));
    await run(engine.applyStep(step));
  }
}

test("gives the plain loop's state after every step, in the virtual time of its micro-batches", async () => {
  const alone = create();
  const { paramsSha256, stateHashes } = plainSimLoop({ ...model, steps: 6 });
  await trainAlone(alone, 1, 6);
  expect(alone.engine.stateHash).toBe(stateHashes[6]);
  expect((await alone.run(alone.engine.exportState())).paramsSha256).toBe(paramsSha256);
  expect(alone.engine.inexactSteps).toEqual([]);
  expect(alone.clock.nowMs()).toBe(6 * 7 * 10);
});

test("L1 any assignment to any number of engines over a simulated network gives the plain loop's state", async () => {
  for (const numWorkers of [1, 2, 3]) {
    const network = new SimNetwork({ seed: numWorkers });
    const members = Array.from({ length: numWorkers }, (_, rank) => `w${rank}`);
    const engines = members.map(() => new SimEngine({ ...model, clock: network.clock, msPerMicroBatch: 5 }));
    const groups = members.map((workerId) => {
      const router = new FrameRouter(network.createTransport(workerId));
      return createProcessGroup({ generation: 1, members, router, clock: network.clock, deadlineMs: 1_000 });
    });
    const nodesByRank: TreeRange[][] = members.map((_, rank) =>
      nodesOf(Math.floor((7 * rank) / numWorkers), Math.floor((7 * (rank + 1)) / numWorkers), 7),
    );
    const train = async (rank: number): Promise<void> => {
      const engine = engines[rank]!;
      const { info } = await engine.prepare();
      const floats = (address: number, offset: number, length: number) =>
        new Float32Array(engine.memory.buffer, address + 4 * offset, length);
      const buckets = bucketsOf(info.gradientFloats, 8);
      for (let step = 1; step <= 4; step++) {
        const destination = floats(info.reducedAddress, 0, info.gradientFloats);
        const where = { step, attempt: 0, numMicroBatches: 7, nodesByRank, buckets, destination };
        const exchange = new GradientExchange(groups[rank]!, { ...where, ops: plainVectorOps });
        await engine.computeNodes({ step, nodes: nodesByRank[rank]! }, ({ node, weight, address, bucket }) => {
          const { offset, length } = buckets[bucket]!;
          exchange.provide({ ...node, weight }, bucket, floats(address, offset, length));
        });
        await exchange.done;
        await engine.applyStep(step);
      }
    };
    await network.clock.runUntil(Promise.all(members.map((_, rank) => train(rank))));
    const expected = plainSimLoop({ ...model, steps: 4 }).stateHashes[4];
    expect(engines.map(({ stateHash }) => stateHash)).toEqual(members.map(() => expected));
    expect(engines.flatMap(({ inexactSteps }) => inexactSteps)).toEqual([]);
  }
});

describe("a lost, repeated or changed micro-batch", () => {
  test("shows in the state and in inexactSteps", async () => {
    const seen = new Set(plainSimLoop({ ...model, steps: 2 }).stateHashes.slice(2));
    for (const poison of ["wrong", "huge", "nan"] as const) {
      const sick = create({ poison: (step) => (step === 1 ? poison : undefined) });
      await trainAlone(sick, 1, 2);
      expect(sick.engine.inexactSteps).toEqual([1]);
      seen.add(sick.engine.stateHash);
    }
    for (let m = 0; m < 7; m++) {
      const lost = create({ scaleOf: (step, microBatch) => (step === 1 && microBatch === m ? 0 : 1) });
      const twice = create({ scaleOf: (step, microBatch) => (step === 1 && microBatch === m ? 2 : 1) });
      for (const other of [lost, twice]) {
        await trainAlone(other, 1, 2);
        seen.add(other.engine.stateHash);
      }
    }
    expect(seen.size).toBe(1 + 3 + 14);
  });

  test("other seeds and sizes give other states", () => {
    const states = [1, 2, 3].flatMap((seed) =>
      [1, 7, 16].map((numMicroBatches) => plainSimLoop({ seed, numMicroBatches, steps: 2 }).paramsSha256),
    );
    expect(new Set(states).size).toBe(9);
    expect(states[0]).toMatch(/^[0-9a-f]{64}$/);
  });
});

test("an abort ends computeNodes after the micro-batch that runs; the next request goes on where it was", async () => {
  const { clock, engine, run } = create();
  await run(engine.prepare());
  const told: unknown[] = [];
  const onProgress = ({ begunNodes, doneMicroBatches }: ComputeProgress) => told.push([begunNodes, doneMicroBatches]);
  const nodes = [
    { lo: 0, hi: 4 },
    { lo: 4, hi: 6 },
    { lo: 6, hi: 7 },
  ];
  const stopped = engine.computeNodes({ step: 1, nodes }, () => {}, onProgress);
  clock.schedule(53, () => engine.abort()); // in the second micro-batch of the second node
  expect(await run(stopped)).toMatchObject({ isComplete: false, computeMs: 60 });
  expect(told.splice(0)).toEqual([
    [1, 0],
    [1, 4],
    [2, 4],
    [2, 6],
  ]);
  const half = engine.computeNodes({ step: 1, nodes: [{ lo: 0, hi: 7 }] }, () => {});
  clock.schedule(35, () => engine.abort()); // the fourth of seven: its first four are a subtree
  expect(await run(half)).toMatchObject({ isComplete: false, computeMs: 40 });
  const buckets: ReadyBucket[] = [];
  const rest = engine.computeNodes({ step: 1, nodes }, (bucket) => buckets.push(bucket), onProgress);
  expect(await run(rest)).toMatchObject({ isComplete: true, computeMs: 30 });
  expect(told[0]).toEqual([1, 4]);
  expect(buckets).toHaveLength(3 * 3);
  const { computed } = engine;
  expect(computed.map(([, m]) => m)).toEqual([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 6]);
});

test("calls run in order: an update waits for the computation that was aborted before it", async () => {
  const { clock, engine, run } = create();
  await run(engine.prepare());
  const order: string[] = [];
  const computing = engine.computeNodes({ step: 1, nodes: whole }, () => {}).then(() => order.push("computed"));
  clock.schedule(5, () => {
    engine.abort();
    void engine.applyStep(1).then(() => order.push("applied"));
  });
  await run(computing);
  await clock.runTo(100);
  expect(order).toEqual(["computed", "applied"]);
});

test("a state crosses to another engine; a damaged one is refused and changes nothing", async () => {
  const [from, to] = [create(), create()];
  await trainAlone(from, 1, 3);
  await to.run(to.engine.prepare());
  const { step, files, stateHash } = await from.run(from.engine.exportState());
  for (const { bytes, sha256 } of files) expect(simSha256([bytes])).toBe(sha256);
  const before = to.engine.stateHash;
  for (const name of files.map((file) => file.name)) {
    const damaged = files.map((file) => ({ ...file, bytes: file.bytes.slice() }));
    const { bytes } = damaged.find((file) => file.name === name)!;
    bytes[bytes.length - 3]! ^= 1;
    await expect(to.run(to.engine.importState({ step, files: damaged }))).rejects.toThrow();
    await expect(to.run(to.engine.importState({ step: step + 1, files }))).rejects.toMatchObject({
      code: "E_CHECKPOINT",
    });
  }
  expect(to.engine.stateHash).toBe(before);
  expect(await to.run(to.engine.importState({ step, files }))).toEqual({ step: 3, stateHash });
  const restored = create({ restore: { step, files } });
  const prepared = await restored.run(restored.engine.prepare());
  expect(prepared.info).toMatchObject({ step: 3, stateHash });
  expect(prepared.probe).toEqual((await create().engine.prepare()).probe);
});

test("a step out of order is refused, and a disposed engine rejects what waits", async () => {
  const { engine, run } = create();
  await run(engine.prepare());
  await expect(run(engine.computeNodes({ step: 2, nodes: whole }, () => {}))).rejects.toMatchObject({
    code: "E_STEP_ORDER",
  });
  const waiting = engine.computeNodes({ step: 1, nodes: whole }, () => {});
  await engine.dispose();
  await expect(run(waiting)).rejects.toMatchObject({ code: "E_DISPOSED" });
});
