import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { ComputeProgress, EngineNotice, PreparedEngine, ReadyBucket } from "../engine/compute-engine.js";
import { tinyMlpJob } from "../engine/tiny-jobs.testkit.js";
import { parseJobConfig } from "../job/parse-config.js";
import { sha256 } from "./engine-spec.js";
import { createNodeExchangeTools } from "./node-exchange-tools.js";
import { ThreadEngine } from "./thread-engine.js";

let dir: string;
let moduleUrl: string;
let entry: URL;
let deviceEntry: URL;
let deviceModule: string;
const open: ThreadEngine[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "lockstep-thread-"));
  const testkit = new URL("../engine/tiny-jobs.testkit.ts", import.meta.url).href;
  const path = join(dir, "job.mjs");
  await writeFile(path, `export { tinyMlpJob as default } from ${JSON.stringify(testkit)};`);
  moduleUrl = pathToFileURL(path).href;
  // The test runs from source: the thread compiles what it loads.
  const tsx = import.meta.resolve("tsx/esm/api");
  const entryOf = async (name: string): Promise<URL> => {
    const thread = new URL(`./${name}.ts`, import.meta.url).href;
    const path = join(dir, `${name}.mjs`);
    await writeFile(path, `import { register } from "${tsx}"; register(); await import("${thread}");`);
    return pathToFileURL(path);
  };
  entry = await entryOf("compute-thread");
  deviceEntry = await entryOf("device-thread");
  // A device with the CPU's own bits: what it computes can be compared. "losesAt": the read with which it is lost, once.
  deviceModule = pathToFileURL(join(dir, "device.mjs")).href;
  const core = new URL("../../../core/src/index.ts", import.meta.url).href;
  await writeFile(
    join(dir, "device.mjs"),
    `import { appendFileSync } from "node:fs";
    import { BackendError, createCpuBackend } from "${core}";
    let numBackends = 0;
    export async function createDeviceBackend({ losesAt, log }) {
      const backend = createCpuBackend();
      Object.defineProperty(backend, "numericClass", { value: "webgpu:test/cpu" });
      let numReads = 0;
      const isFirst = numBackends++ === 0;
      const read = backend.read.bind(backend);
      backend.read = (view) => {
        if (isFirst && numReads++ === losesAt) {
          appendFileSync(log, "lost ");
          return Promise.reject(new BackendError("planted loss", {}, "E_DEVICE_LOST"));
        }
        return read(view);
      };
      return backend;
    }`,
  );
});
afterAll(() => rm(dir, { recursive: true, force: true }));
afterEach(async () => {
  await Promise.all(open.splice(0).map((engine) => engine.dispose()));
});

const config = parseJobConfig(tinyMlpJob);

function createEngine(
  threads: number,
  options?: Readonly<Record<string, unknown>>,
  { updates = false }: { readonly updates?: boolean } = {},
): ThreadEngine {
  const device = options && { device: { moduleUrl: deviceModule, options, updates, entry: deviceEntry.href } };
  const engine = new ThreadEngine({
    spec: { moduleUrl, config, seed: 7, workerId: "w0", numeric: "strict", threads, files: [], ...device },
    entry,
    execArgv: ["--conditions", "lockstep-source"],
  });
  open.push(engine);
  return engine;
}

/** Three steps at worldSize 1, reduced on this thread. */
async function trainThreeSteps(engine: ThreadEngine): Promise<{
  prepared: PreparedEngine;
  stateHash: string;
  early: number;
  notices: readonly (EngineNotice & { readonly step: number })[];
}> {
  const prepared = await engine.prepare();
  const { info } = prepared;
  const { ops } = createNodeExchangeTools(engine);
  let stateHash = "";
  const notices: (EngineNotice & { readonly step: number })[] = [];
  let early = 0;
  for (let step = 1; step <= 3; step++) {
    const buckets: ReadyBucket[] = [];
    let isComputed = false;
    const computing = engine.computeNodes({ step, nodes: [{ lo: 0, hi: info.numMicroBatches }] }, (bucket) => {
      if (!isComputed) early++;
      buckets.push(bucket);
    });
    for (const notice of (await computing).notices ?? []) notices.push({ step, ...notice });
    isComputed = true;
    const { address, weight } = buckets[0]!;
    const sum = new Float32Array(engine.memory.buffer, address, info.gradientFloats);
    const reduced = new Float32Array(engine.memory.buffer, info.reducedAddress, info.gradientFloats);
    ops.divide(reduced, sum, weight);
    ({ stateHash } = await engine.applyStep(step));
  }
  return { prepared, stateHash, early, notices };
}

test("L1 an engine on a thread of its own gives the same bits with 1 and 2 computing threads", async () => {
  const one = await trainThreeSteps(createEngine(1));
  const two = await trainThreeSteps(createEngine(2));
  expect(two.stateHash).toBe(one.stateHash);
  expect(two.prepared.probe).toEqual(one.prepared.probe);
  expect(one.prepared.info.stateHash).not.toBe(one.stateHash);
});

test("buckets are announced while the call still computes, every one once", async () => {
  const engine = createEngine(1);
  const { prepared, early } = await trainThreeSteps(engine);
  const numBuckets = Math.ceil((4 * prepared.info.gradientFloats) / config.bucketBytes);
  expect(numBuckets).toBeGreaterThan(2);
  expect(early).toBe(3 * numBuckets);
});

test("a state crosses to another engine with the sha256 of its files, and training goes on with the same bits", async () => {
  const [engine, joiner] = [createEngine(1), createEngine(1)];
  const { stateHash } = await trainThreeSteps(engine);
  await joiner.prepare();
  const exported = await engine.exportState();
  expect(exported).toMatchObject({ step: 3, stateHash });
  for (const { bytes, sha256: digest } of exported.files) expect(sha256([bytes])).toBe(digest);
  const broken = exported.files.map(({ name, bytes }) => ({ name, bytes: bytes.slice(0, -1) }));
  await expect(joiner.importState({ step: 3, files: broken })).rejects.toMatchObject({ code: "E_FORMAT" });
  const files = exported.files.map(({ name, bytes }) => ({ name, bytes: Buffer.from(bytes) })); // small ones lie in Node's pool
  expect(await joiner.importState({ step: 3, files })).toEqual({ step: 3, stateHash });
  expect(await joiner.exportState()).toEqual(exported);
});

test("calls behind an export do not wait for its hashing, and see none of it", async () => {
  const engine = createEngine(1);
  await trainThreeSteps(engine);
  const order: string[] = [];
  const exporting = engine.exportState().then((state) => {
    order.push("exported");
    return state;
  });
  await engine.applyStep(4).then(() => order.push("applied"));
  expect((await exporting).step).toBe(3);
  expect(order).toEqual(["applied", "exported"]);
});

test("progress crosses the thread while the call computes", async () => {
  const engine = createEngine(1);
  await engine.prepare();
  const told: ComputeProgress[] = [];
  const nodes = [
    { lo: 0, hi: 4 },
    { lo: 4, hi: 5 },
  ];
  await engine.computeNodes(
    { step: 1, nodes },
    () => {},
    (progress) => told.push(progress),
  );
  expect(told).toEqual([
    { begunNodes: 1, doneMicroBatches: 0 },
    { begunNodes: 1, doneMicroBatches: 4 },
    { begunNodes: 2, doneMicroBatches: 4 },
    { begunNodes: 2, doneMicroBatches: 5 },
  ]);
});

test("an error of the job crosses the thread with its code and fields", async () => {
  const engine = createEngine(1);
  await engine.prepare();
  await expect(engine.computeNodes({ step: 3, nodes: [] }, () => {})).rejects.toMatchObject({
    code: "E_STEP_ORDER",
    fields: { step: 3, state: 0 },
  });
});

test("a call on a disposed engine rejects instead of waiting", async () => {
  const engine = createEngine(1);
  await engine.dispose();
  await expect(engine.prepare()).rejects.toMatchObject({ code: "E_DISPOSED" });
});

test("L2 a device that computes as the CPU does gives the CPU's bits, and keeps the state in CPU memory", async () => {
  const [plain, device] = [await trainThreeSteps(createEngine(1)), await trainThreeSteps(createEngine(1, {}))];
  expect(device.prepared.info.numericClass).toBe("webgpu:test/cpu");
  expect(device.prepared.info.stateHash).toBe(plain.prepared.info.stateHash);
  expect(device.stateHash).toBe(plain.stateHash);
  expect(device.early).toBeGreaterThan(0);
});

test("L3 a device that is lost in the middle of a backward pass is opened anew and the micro-batch computed again, to the same bits", async () => {
  const plain = await trainThreeSteps(createEngine(1));
  for (const losesAt of [0, 3, 11]) {
    const log = join(dir, `lost-at-${losesAt}`);
    const { stateHash, notices } = await trainThreeSteps(createEngine(1, { losesAt, log }));
    expect(stateHash).toBe(plain.stateHash);
    expect(readFileSync(log, "utf8")).toBe("lost ");
    // L6: told once, with the place. The probe's micro-batch 0 is told of with the first step.
    expect(notices).toMatchObject([{ step: 1, code: "E_DEVICE_LOST" }]);
    expect(notices[0]!.message).toBe(
      `the device was lost in micro-batch ${notices[0]!.microBatch} of step 1; another is opened and computes it again. planted loss`,
    );
  }
  expect(plain.notices).toEqual([]);
});

/** Steps of a worker that is alone, its state as it is after each exported one. */
async function trainAlone(engine: ThreadEngine, steps: readonly number[]) {
  const { info } = await engine.prepare();
  const notices: EngineNotice[] = [];
  let told = 0;
  let stateHash = "";
  for (const step of steps) {
    const nodes = [{ lo: 0, hi: 5 }];
    const computed = await engine.computeNodes({ step, nodes, isAlone: true }, () => void told++);
    expect(computed).toMatchObject({ isComplete: true, gradientHash: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(computed.losses.map(([m]) => m)).toEqual([0, 1, 2, 3, 4]);
    notices.push(...(computed.notices ?? []));
    ({ stateHash } = await engine.applyStep(step));
  }
  return { info, stateHash, told, notices };
}

test("L2 steps that a device takes alone make the CPU's state, and nothing of it crosses before it is needed", async () => {
  const plain = await trainThreeSteps(createEngine(1));
  const engine = createEngine(1, {}, { updates: true });
  const alone = await trainAlone(engine, [1, 2, 3]);
  expect(alone).toMatchObject({ stateHash: plain.stateHash, told: 0, notices: [] });
  expect(await engine.exportState()).toMatchObject({ step: 3, stateHash: plain.stateHash });
  expect(await engine.evaluate({ lo: 0, hi: 2 })).toHaveLength(2);
});

test("L2 a worker that is alone for a while, then not, then again, makes the state of one that never was", async () => {
  const other = createEngine(1, {}, { updates: true });
  const expected = await trainAlone(other, [1, 2, 3, 4, 5]);
  const engine = createEngine(1, {}, { updates: true });
  const { info } = await trainAlone(engine, [1, 2]);
  const { ops } = createNodeExchangeTools(engine);
  const nodes = [{ lo: 0, hi: 5 }];
  // Alone, and given up when others come: step 3 is computed again by the tree.
  await engine.computeNodes({ step: 3, nodes, isAlone: true }, () => {});
  let vector: ReadyBucket | undefined;
  await engine.computeNodes({ step: 3, nodes }, (bucket) => {
    vector = bucket;
  });
  const sum = new Float32Array(engine.memory.buffer, vector!.address, info.gradientFloats);
  const reduced = new Float32Array(engine.memory.buffer, info.reducedAddress, info.gradientFloats);
  ops.divide(reduced, sum, vector!.weight);
  await engine.applyStep(3);
  for (const step of [4, 5]) {
    await engine.computeNodes({ step, nodes, isAlone: true }, () => {});
    const { stateHash } = await engine.applyStep(step);
    if (step === 5) expect(stateHash).toBe(expected.stateHash);
  }
});

test("L3 a device that is lost with a state of its own is opened anew, and its steps are computed again to the same bits", async () => {
  const plain = await trainThreeSteps(createEngine(1));
  // A read of a loss in the first step, one in the last, one of the state.
  for (const losesAt of [8, 19, 22]) {
    const log = join(dir, `alone-lost-at-${losesAt}`);
    const engine = createEngine(1, { losesAt, log }, { updates: true });
    const { stateHash, notices } = await trainAlone(engine, [1, 2, 3]);
    expect(await engine.exportState()).toMatchObject({ step: 3, stateHash });
    expect(stateHash).toBe(plain.stateHash);
    expect(readFileSync(log, "utf8")).toBe("lost ");
    if (losesAt < 21) {
      expect(notices).toMatchObject([{ code: "E_DEVICE_LOST", message: expect.stringMatching(/another is opened/) }]);
    }
  }
});
