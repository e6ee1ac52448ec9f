/** @file Checks of the checks: each known bug must make the reduction property fail. */
import { emptyBulkHeader } from "@lockstep/protocol";
import { describe, expect, test } from "vitest";
import { plainVectorOps } from "../testing/plain-vector-ops.js";
import { assertReduction, type RankResult, reductionInput, runRank } from "../testing/reduction-case.js";
import { createSimGroups } from "../testing/sim-group.js";
import { SimNetwork } from "../testing/sim-network.js";
import { type BulkFrame, bytesOf, floatsOf, type Transport } from "../transport/transport.js";

const CASE = { seed: 77, worldSize: 4, numMicroBatches: 13, length: 2_003, bucketElements: 500 };
const input = reductionInput(CASE);

/** A transport whose outgoing frames go through `change`; undefined drops the frame. */
function tampered(transport: Transport, change: (frame: BulkFrame) => BulkFrame | undefined): Transport {
  const send: Transport["send"] = async (peerId, frame, options) => {
    const changed = change(frame);
    if (changed !== undefined) await transport.send(peerId, changed, options);
  };
  return new Proxy(transport, { get: (target, key) => (key === "send" ? send : bound(target, key)) });
}

function bound(target: Transport, key: string | symbol): unknown {
  const value = Reflect.get(target, key) as unknown;
  return typeof value === "function" ? value.bind(target) : value;
}

async function reduceWith(change: (frame: BulkFrame, rank: number) => BulkFrame | undefined): Promise<void> {
  const network = new SimNetwork({ seed: CASE.seed });
  const groups = createSimGroups(network, {
    worldSize: CASE.worldSize,
    deadlineMs: 1_000,
    wrap: (transport, rank) => tampered(transport, (frame) => change(frame, rank)),
  });
  const results = await network.clock.runUntil(Promise.all(groups.map((group) => runRank(group, CASE, input))));
  assertReduction(input, results);
}

describe("planted bugs", () => {
  test("the tampering itself changes nothing when it does nothing", async () => {
    await reduceWith((frame) => frame);
  });

  test("a dropped node shard is noticed", async () => {
    let numDropped = 0;
    const change = (frame: BulkFrame) =>
      frame.header.kind === "nodeShard" && frame.header.bucket === 2 && numDropped++ === 0 ? undefined : frame;
    await expect(reduceWith(change)).rejects.toMatchObject({ code: "E_PEER_TIMEOUT", fields: { bucket: 2 } });
    expect(numDropped).toBeGreaterThan(0);
  });

  test("a node shard of zeros in place of a dropped one is noticed", async () => {
    const zeros = (frame: BulkFrame, rank: number) =>
      frame.header.kind === "nodeShard" && rank === 1
        ? { ...frame, payload: new Uint8Array(frame.payload.length) }
        : frame;
    await expect(reduceWith(zeros)).rejects.toMatchObject({ code: "E_HASH" });
  });

  test("a shard whose bits changed after its owner hashed it is noticed", async () => {
    const flip = (frame: BulkFrame) => {
      if (frame.header.kind !== "reducedShard") return frame;
      const payload = Uint8Array.from(frame.payload);
      payload[3]! ^= 1;
      return { ...frame, payload };
    };
    await expect(reduceWith(flip)).rejects.toMatchObject({ code: "E_HASH" });
  });

  test("a node of one rank under another's name is noticed", async () => {
    const swap = (frame: BulkFrame, rank: number) =>
      rank === 2 ? { ...frame, header: { ...frame.header, senderRank: 3 } } : frame;
    await expect(reduceWith(swap)).rejects.toMatchObject({ code: "E_PEER_TIMEOUT" });
  });

  test("a payload for another element is noticed", async () => {
    const shift = (frame: BulkFrame) =>
      frame.header.kind === "nodeShard"
        ? { ...frame, header: { ...frame.header, elementOffset: frame.header.elementOffset + 16 } }
        : frame;
    await expect(reduceWith(shift)).rejects.toMatchObject({ code: "E_FRAME_REFUSED" });
  });

  test("a frame delivered twice is refused", async () => {
    const network = new SimNetwork({ seed: 1 });
    const groups = createSimGroups(network, {
      worldSize: CASE.worldSize,
      deadlineMs: 1_000,
      wrap: (transport) => {
        const twice: Transport["send"] = async (peerId, frame, options) => {
          await Promise.all([transport.send(peerId, frame, options), transport.send(peerId, frame, options)]);
        };
        return new Proxy(transport, { get: (target, key) => (key === "send" ? twice : bound(target, key)) });
      },
    });
    const all = Promise.all(groups.map((group) => runRank(group, CASE, input)));
    await expect(network.clock.runUntil(all)).rejects.toMatchObject({ code: "E_FRAME_REFUSED" });
  });

  test("a sum in rank order has other bits than the tree", () => {
    const byRank = input.gradients.slice(1).reduce((sum, vector) => {
      const next = new Float32Array(sum.length);
      plainVectorOps.add(next, sum, vector);
      return next;
    }, input.gradients[0]!);
    const totalWeight = input.weights.reduce((a, b) => a + b, 0);
    const gradient = byRank.map((value) => value / Math.fround(totalWeight));
    const result = { gradient, totalWeight, gradientHash: "same" } as RankResult;
    expect(() => assertReduction(input, [result])).toThrow("the tree oracle has");
  });

  test("memory that its provider overwrites too early is noticed", async () => {
    const scribbling: Transport["send"][] = [];
    const network = new SimNetwork({ seed: 5 });
    const groups = createSimGroups(network, {
      worldSize: CASE.worldSize,
      wrap: (transport) => {
        const send: Transport["send"] = (peerId, frame, options) => {
          const copy = {
            header: { ...emptyBulkHeader, ...frame.header },
            payload: bytesOf(floatsOf(frame.payload).slice()),
          };
          const sent = transport.send(peerId, copy, options);
          if (frame.header.kind === "nodeShard") copy.payload.fill(0); // before `sent` resolves
          return sent;
        };
        scribbling.push(send);
        return new Proxy(transport, { get: (target, key) => (key === "send" ? send : bound(target, key)) });
      },
    });
    const all = Promise.all(groups.map((group) => runRank(group, CASE, input)));
    await expect(network.clock.runUntil(all)).rejects.toMatchObject({ code: "E_HASH" });
    expect(scribbling).toHaveLength(4);
  });
});
