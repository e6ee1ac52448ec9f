import { createHash } from "node:crypto";
import { bucketsOf, createProcessGroup, FrameRouter, type Transport } from "@lockstep/collectives";
import { plainVectorOps, SimNetwork } from "@lockstep/collectives/testing";
import { createCpuBackend } from "@lockstep/core";
import { describe, expect, test } from "vitest";
import type { EngineInfo } from "../engine/compute-engine.js";
import { InlineEngine } from "../engine/inline-engine.js";
import { tinyGptJob } from "../engine/tiny-jobs.testkit.js";
import { createJobFiles } from "../job/job-files.js";
import { parseJobConfig } from "../job/parse-config.js";
import { StepRunner } from "./step-runner.js";

const config = parseJobConfig(tinyGptJob);

function engineOf(workerId: string, backend = createCpuBackend()): InlineEngine {
  return new InlineEngine({
    job: tinyGptJob,
    config,
    seed: 7,
    workerId,
    files: createJobFiles([]),
    backend,
    nowMs: () => 0,
    sha256: () => createHash("sha256").digest("hex"),
    maxBytes: 2 ** 32,
  });
}

/** A worker without others, and its assignment of step 1. */
function aloneWith(engine: InlineEngine, info: EngineInfo) {
  const network = new SimNetwork({ seed: 3 });
  const router = new FrameRouter(network.createTransport("w0"));
  const { clock } = network;
  const group = createProcessGroup({ generation: 1, members: ["w0"], router, clock, deadlineMs: 60_000 });
  const runner = new StepRunner({
    engine,
    info,
    tools: { ops: plainVectorOps },
    buckets: bucketsOf(info.gradientFloats, config.bucketBytes / 4),
    nowMs: () => clock.nowMs(),
  });
  const told: unknown[] = [];
  const running = runner.start(
    group,
    { step: 1, generation: 1, attempt: 0, nodesByRank: [[[0, 6]]] },
    { deadlineMs: 60_000, onProgress: () => {}, onNotice: (what) => told.push(what) },
  );
  return { ...running, told, clock };
}

test("L6 what an engine tells of a micro-batch is told on at once and stands in the report", async () => {
  const engine = engineOf("w0");
  const { info } = await engine.prepare();
  const notice = { microBatch: 2, code: "E_DEVICE_LOST", message: `lost ${"x".repeat(9_000)}` };
  const compute = engine.computeNodes.bind(engine);
  engine.computeNodes = async (...args) => ({ ...(await compute(...args)), notices: [notice] });
  const { outcome, told, clock } = aloneWith(engine, info);
  const { notices } = await clock.runUntil(outcome);
  expect(told).toEqual([notice]);
  expect(notices).toEqual([{ ...notice, message: notice.message.slice(0, 4_000) }]);
});

describe("a worker that is alone, whose steps may be taken on its device", () => {
  const gradientHash = "5".repeat(32);

  /** An engine that keeps its gradient, and what it was asked. */
  async function keepingEngine() {
    const engine = engineOf("w0");
    const { info } = await engine.prepare();
    const asked: unknown[] = [];
    const compute = engine.computeNodes.bind(engine);
    engine.computeNodes = async (request, _onBucket, ...rest) => {
      asked.push(request);
      const { losses, ...computed } = await compute({ ...request, isAlone: false }, () => {}, ...rest);
      return { ...computed, losses, gradientHash };
    };
    return { engine, asked, info: { ...info, updatesOnDevice: true } };
  }

  test("exchanges nothing: the report has the device's hash, and the losses", async () => {
    const { engine, asked, info } = await keepingEngine();
    const { outcome, clock } = aloneWith(engine, info);
    const report = await clock.runUntil(outcome);
    expect(asked).toEqual([{ step: 1, nodes: [{ lo: 0, hi: 6 }], isAlone: true }]);
    expect(report).toMatchObject({ step: 1, generation: 1, attempt: 0, gradientHash, bytesSent: 0, nodeSquares: [] });
    expect(report.losses.map(([m]) => m)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("keeps to the exchange where its engine updates on the CPU", async () => {
    const { engine, asked, info } = await keepingEngine();
    const { outcome, clock, abort } = aloneWith(engine, { ...info, updatesOnDevice: false });
    outcome.catch(() => {});
    expect(asked).toEqual([{ step: 1, nodes: [{ lo: 0, hi: 6 }] }]);
    abort("seen enough");
    await expect(clock.runUntil(outcome)).rejects.toThrowError();
  });

  test("an aborted step rejects with the reason", async () => {
    const { engine, info } = await keepingEngine();
    engine.computeNodes = async () => ({ losses: [], numTokens: 0, computeMs: 0, isComplete: false });
    const { outcome, abort, clock } = aloneWith(engine, info);
    abort("a worker joined");
    await expect(clock.runUntil(outcome)).rejects.toThrowError("step 1 was aborted: a worker joined");
  });
});

test("gradient bytes leave a worker before its backward pass has ended", async () => {
  const network = new SimNetwork({ seed: 3 });
  const members = ["w0", "w1"];
  let bytesSent = 0;
  /** Bytes that rank 0 had sent when the last kernel of each backward pass began. */
  const seen: number[] = [];
  const steps = members.map(async (workerId, rank) => {
    const transport = network.createTransport(workerId);
    const spied = rank === 0 ? countBytes(transport, (n) => (bytesSent += n)) : transport;
    const router = new FrameRouter(spied);
    const group = createProcessGroup({ generation: 1, members, router, clock: network.clock, deadlineMs: 60_000 });
    const backend = createCpuBackend();
    if (rank === 0) {
      // The embedding is the first layer: its gradient is the last that a backward pass computes.
      const original = backend.kernels.embeddingBackward.bind(backend.kernels);
      backend.kernels.embeddingBackward = (...args) => {
        seen.push(bytesSent);
        original(...args);
      };
    }
    const engine = engineOf(workerId, backend);
    const { info } = await engine.prepare();
    if (rank === 0) seen.length = 0; // the probe's
    const runner = new StepRunner({
      engine,
      info,
      tools: { ops: plainVectorOps },
      buckets: bucketsOf(info.gradientFloats, config.bucketBytes / 4),
      nowMs: () => network.clock.nowMs(),
    });
    const nodes: [number, number][][] = [[[0, 4]], [[4, 6]]];
    const running = runner.start(
      group,
      { step: 1, generation: 1, attempt: 0, nodesByRank: nodes },
      { deadlineMs: 60_000, onProgress: () => {}, onNotice: () => {} },
    );
    return { outcome: await running.outcome, gradientBytes: 4 * info.gradientFloats };
  });
  const [first, second] = await network.clock.runUntil(Promise.all(steps));
  expect(first!.outcome.gradientHash).toBe(second!.outcome.gradientHash);
  expect(seen).toHaveLength(4);
  expect(seen.at(-1)).toBeGreaterThan(first!.gradientBytes / 4);
  expect(seen.at(-1)).toBeLessThan(first!.outcome.bytesSent);
});

function countBytes(transport: Transport, onBytes: (numBytes: number) => void): Transport {
  return new Proxy(transport, {
    get(target, key) {
      if (key === "send") {
        return (...args: Parameters<Transport["send"]>) => {
          onBytes(args[1].payload.byteLength);
          return target.send(...args);
        };
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
