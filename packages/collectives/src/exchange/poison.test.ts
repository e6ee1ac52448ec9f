/**
 * @file What a sick or hostile worker can send into a step, one thing at a time: it is refused before it is added, the error says who it
 * was, and no rank ever holds a number that is not the right one.
 */
import { describe, expect, test } from "vitest";
import type { ProcessGroup } from "../group/process-group.js";
import { plainVectorOps } from "../testing/plain-vector-ops.js";
import { expectedReduction, nodesWithVectors, reductionInput } from "../testing/reduction-case.js";
import { createSimGroups } from "../testing/sim-group.js";
import { SimNetwork } from "../testing/sim-network.js";
import { type BulkFrame, bytesOf, floatsOf, type Transport, type TransportListener } from "../transport/transport.js";
import { GradientExchange } from "./gradient-exchange.js";
import { wordsOf } from "./hash-hex.js";
import { createVectorPool } from "./vector-ops.js";

const CASE = { seed: 12, worldSize: 3, numMicroBatches: 8, length: 1_000, bucketElements: 400 };
const NODES = [[{ lo: 0, hi: 4 }], [{ lo: 4, hi: 6 }], [{ lo: 6, hi: 8 }]];
const input = { ...reductionInput(CASE), nodesByRank: NODES };
const expected = expectedReduction(input).gradient;
/** The sick one. */
const culprit = { rank: 1, workerId: "w1" };
const own = { lo: 4, hi: 6 };

interface Outgoing {
  readonly peerId: string;
  readonly frame: BulkFrame;
}

/** What is sent in place of a frame. */
type Poison = (sent: Outgoing) => readonly Outgoing[];

interface Outcome {
  readonly groups: readonly ProcessGroup[];
  readonly settled: readonly PromiseSettledResult<unknown>[];
  readonly destinations: readonly Float32Array[];
  readonly numPoisoned: number;
}

interface PoisonOptions {
  readonly steps?: number;
  /** Where frames are changed: what the decoder would refuse already is put in behind it. */
  readonly at?: "sender" | "receiver";
}

/** One step, or several, in which what worker w1 sends goes through `poison`. */
async function exchangeWith(poison: Poison, { steps = 1, at = "sender" }: PoisonOptions = {}): Promise<Outcome> {
  const network = new SimNetwork({ seed: CASE.seed });
  let numPoisoned = 0;
  const poisoned = (sent: Outgoing): readonly Outgoing[] => {
    const instead = poison(sent);
    if (instead.length !== 1 || instead[0]!.frame !== sent.frame || instead[0]!.peerId !== sent.peerId) numPoisoned++;
    return instead;
  };
  const sick = (transport: Transport): Transport =>
    withMethod(transport, "send", async (peerId, frame, options) => {
      await Promise.all(poisoned({ peerId, frame }).map((out) => transport.send(out.peerId, out.frame, options)));
    });
  const naive = (transport: Transport): Transport =>
    withMethod(transport, "listen", (listener) => {
      const onFrame: TransportListener["onFrame"] = (peerId, frame) => {
        if (peerId !== culprit.workerId) return listener.onFrame(peerId, frame);
        for (const out of poisoned({ peerId: transport.workerId, frame })) listener.onFrame(peerId, out.frame);
      };
      transport.listen({ ...listener, onFrame });
    });
  const wrap = (transport: Transport, rank: number): Transport => {
    if (at === "receiver") return rank === culprit.rank ? transport : naive(transport);
    return rank === culprit.rank ? sick(transport) : transport;
  };
  const groups = createSimGroups(network, { worldSize: 3, deadlineMs: 300, wrap });
  const destinations = groups.map(() => new Float32Array(CASE.length));
  let settled: readonly PromiseSettledResult<unknown>[] = [];
  for (let step = 1; step <= steps; step++) {
    const exchanges = groups.map((group, rank) => begin(group, step, destinations[rank]!.fill(Number.NaN)));
    settled = await network.clock.runUntil(Promise.allSettled(exchanges.map(({ done }) => done)));
    await network.clock.runTo(network.clock.nowMs() + 50); // what is still on its way arrives
  }
  return { groups, settled, destinations, numPoisoned };
}

function withMethod<Name extends "send" | "listen">(
  transport: Transport,
  name: Name,
  method: Transport[Name],
): Transport {
  return new Proxy(transport, {
    get: (target, key) => {
      if (key === name) return method;
      const value = Reflect.get(target, key) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function begin(group: ProcessGroup, step: number, destination: Float32Array): GradientExchange {
  const exchange = new GradientExchange(group, {
    step,
    attempt: 1,
    numMicroBatches: CASE.numMicroBatches,
    nodesByRank: NODES,
    buckets: input.buckets,
    destination,
    ops: plainVectorOps,
    pool: createVectorPool({ allocate: (length) => new Float32Array(length) }),
  });
  for (const node of nodesWithVectors(input, group.rank))
    for (const [bucket, { offset, length }] of input.buckets.entries())
      exchange.provide(node, bucket, node.vector.subarray(offset, offset + length));
  return exchange;
}

/** Every element is the right one, to the bit, or no number at all. */
function assertNoWrongNumbers(destinations: readonly Float32Array[]): void {
  for (const destination of destinations) {
    const at = destination.findIndex((value, i) => !Number.isNaN(value) && !Object.is(value, expected[i]));
    expect({ at, value: destination[at] }).toEqual({ at: -1, value: undefined });
  }
}

const nodeFrames =
  (change: (frame: BulkFrame, peerId: string) => readonly BulkFrame[]): Poison =>
  (sent) =>
    sent.frame.header.kind !== "nodeShard"
      ? [sent]
      : change(sent.frame, sent.peerId).map((frame) => ({ peerId: sent.peerId, frame }));

const nodeHeaders = (change: Partial<BulkFrame["header"]>): Poison =>
  nodeFrames((frame) => [{ ...frame, header: { ...frame.header, ...change } }]);

const reducedFrames =
  (change: (frame: BulkFrame) => BulkFrame): Poison =>
  (sent) =>
    sent.frame.header.kind === "reducedShard" ? [{ ...sent, frame: change(sent.frame) }] : [sent];

function withPayload(frame: BulkFrame, change: (values: Float32Array) => void): BulkFrame {
  const values = floatsOf(frame.payload).slice();
  change(values);
  // Whoever sends wrong values sends their hash with them.
  const payloadHash = wordsOf(plainVectorOps.hash(values));
  return { header: { ...frame.header, payloadHash }, payload: bytesOf(values) };
}

const refused = { code: "E_FRAME_REFUSED", fields: culprit };
const refusedNode = { code: "E_FRAME_REFUSED", fields: { ...culprit, node: own } };
const refusedOther = { code: "E_FRAME_REFUSED", fields: { ...culprit, node: { lo: 0, hi: 4 } } };
const notFinite = { code: "E_NOT_FINITE", fields: { ...culprit, node: own } };

async function expectAccusation(poison: Poison, accusation: object, options: PoisonOptions): Promise<void> {
  const { settled, destinations, numPoisoned } = await exchangeWith(poison, options);
  expect(numPoisoned).toBeGreaterThan(0);
  const { code } = accusation as { code: string };
  const reasons = [settled[0], settled[2]].map(
    (result) => (result as PromiseRejectedResult).reason as { code?: string },
  );
  expect(reasons.map((reason) => reason?.code)).toContain(code);
  for (const reason of reasons) if (reason?.code === code) expect(reason).toMatchObject(accusation);
  assertNoWrongNumbers(destinations);
}

test("the harness itself changes nothing", async () => {
  for (const at of ["sender", "receiver"] as const) {
    const { settled, destinations, numPoisoned } = await exchangeWith((sent) => [sent], { at });
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    expect(numPoisoned).toBe(0);
    for (const destination of destinations) expect(destination).toEqual(expected);
  }
});

describe("a node vector is refused, and its sender named, that comes as", () => {
  test.each<[string, Poison, object]>([
    [
      "a shorter vector that says so",
      nodeFrames(({ header, payload }) => [
        { header: { ...header, elementCount: header.elementCount - 16 }, payload: payload.subarray(64) },
      ]),
      refused,
    ],
    ["a frame sent twice", nodeFrames((frame) => [frame, frame]), refusedNode],
    ["another rank's node", nodeHeaders({ nodeLo: 0, nodeHi: 4 }), refusedOther],
    [
      "a range that is no node of the step",
      nodeHeaders({ nodeLo: 4, nodeHi: 5 }),
      { ...refused, fields: { ...culprit, node: { lo: 4, hi: 5 } } },
    ],
    [
      "a shard for another than its owner",
      (sent) =>
        sent.frame.header.kind === "nodeShard" ? [{ ...sent, peerId: sent.peerId === "w0" ? "w2" : "w0" }] : [sent],
      refusedNode,
    ],
    ["a shard under another owner's name", nodeHeaders({ ownerRank: 1 }), refused],
    [
      "a shard for another element",
      nodeFrames((frame) => [
        { ...frame, header: { ...frame.header, elementOffset: frame.header.elementOffset + 16 } },
      ]),
      refused,
    ],
    ["a block that does not exist", nodeHeaders({ block: 99 }), refused],
    ["a kind that has no place here", nodeHeaders({ kind: "barrier", nodeLo: 0, nodeHi: 0 }), refused],
    [
      "a weight that is not what it was",
      nodeFrames((frame) => [
        { ...frame, header: { ...frame.header, weight: frame.header.weight + frame.header.bucket } },
      ]),
      refusedNode,
    ],
    [
      "NaN",
      nodeFrames((frame) => [withPayload(frame, (values) => void values.fill(Number.NaN, -1))]),
      { ...notFinite, fields: { ...notFinite.fields, value: Number.NaN } },
    ],
    [
      "infinity",
      nodeFrames((frame) => [withPayload(frame, (values) => void values.fill(-Infinity, 5, 6))]),
      { ...notFinite, fields: { ...notFinite.fields, value: -Infinity } },
    ],
  ])("%s", (_, poison, accusation) => expectAccusation(poison, accusation, { at: "sender" }));

  test.each<[string, Poison, object]>([
    ["2 bytes an element", nodeFrames((frame) => [{ ...frame, payload: half(frame.payload) }]), refused],
    [
      "8 bytes an element",
      nodeFrames((frame) => [{ ...frame, payload: new Uint8Array(2 * frame.payload.length) }]),
      refused,
    ],
    ["nothing", nodeFrames((frame) => [{ ...frame, payload: new Uint8Array(0) }]), refused],
    ["a negative weight", nodeHeaders({ weight: -1 }), refusedNode],
    ["a weight that is NaN", nodeHeaders({ weight: Number.NaN }), refusedNode],
  ])("%s, also behind the decoder", (_, poison, accusation) =>
    expectAccusation(poison, accusation, { at: "receiver" }),
  );
});

describe("a reduced shard is refused, and its sender named, that comes", () => {
  test.each<[string, Poison, object]>([
    [
      "with a changed bit",
      reducedFrames((frame) => {
        const payload = Uint8Array.from(frame.payload);
        payload[3]! ^= 1;
        return { ...frame, payload };
      }),
      { code: "E_HASH", fields: culprit },
    ],
    [
      "as zeros",
      reducedFrames((frame) => ({ ...frame, payload: new Uint8Array(frame.payload.length) })),
      { code: "E_HASH", fields: culprit },
    ],
    [
      "divided by something else",
      reducedFrames((frame) => ({
        header: { ...frame.header, weight: frame.header.weight + 1 },
        payload: new Uint8Array(frame.payload.length),
      })),
      refused,
    ],
    [
      "from another than its owner",
      (sent) => {
        const { header } = sent.frame;
        if (header.kind !== "nodeShard" || sent.peerId !== "w0") return [sent];
        const { offset, length } = ownedBy(2, header.bucket);
        const theirs = { ownerRank: 2, shard: 2, block: header.block + 2, elementOffset: offset, elementCount: length };
        const forged = { ...header, ...theirs, kind: "reducedShard", nodeLo: 0, nodeHi: 0 } as const;
        return [{ ...sent, frame: { header: forged, payload: new Uint8Array(4 * length) } }];
      },
      refused,
    ],
  ])("%s", (_, poison, accusation) => expectAccusation(poison, accusation, { at: "sender" }));

  test("with 2 bytes an element, also behind the decoder", () =>
    expectAccusation(
      reducedFrames((frame) => ({ ...frame, payload: half(frame.payload) })),
      refused,
      { at: "receiver" },
    ));
});

function half(payload: Uint8Array): Uint8Array {
  return payload.slice(0, payload.length / 2);
}

/** The part of a bucket that a rank reduces; a bucket has one block a shard here. */
function ownedBy(rank: number, bucket: number): { offset: number; length: number } {
  const { offset, length } = input.buckets[bucket]!;
  const numCuts = Math.ceil(length / 16);
  const cut = (shard: number) => Math.min(length, Math.floor((numCuts * shard) / 3) * 16);
  return { offset: offset + cut(rank), length: cut(rank + 1) - cut(rank) };
}

describe("what is over is dropped and counted, and the step is exact:", () => {
  const numStale = ({ groups }: Outcome): number =>
    groups.reduce((sum, { router }) => sum + router.counters().numStale, 0);

  test.each<[string, Partial<BulkFrame["header"]>]>([
    ["a copy from an earlier attempt", { attempt: 0 }],
    ["a copy from an earlier step", { step: 0 }],
    ["a copy from an earlier generation", { generation: 0 }],
  ])("%s", async (_, change) => {
    const outcome = await exchangeWith(
      nodeFrames((frame) => [{ header: { ...frame.header, ...change }, payload: frame.payload }, frame]),
    );
    expect(outcome.numPoisoned).toBeGreaterThan(0);
    expect(numStale(outcome)).toBe(outcome.numPoisoned);
    for (const destination of outcome.destinations) expect(destination).toEqual(expected);
  });

  test("frames of the last step, sent again in this one", async () => {
    const recorded: BulkFrame[] = [];
    const outcome = await exchangeWith(
      (sent) => {
        if (sent.frame.header.step === 1) {
          recorded.push({ ...sent.frame, payload: Uint8Array.from(sent.frame.payload) });
          return [sent];
        }
        const replayed = recorded.splice(0).map((frame) => ({ peerId: sent.peerId, frame }));
        return [...replayed, sent];
      },
      { steps: 2 },
    );
    expect(numStale(outcome)).toBeGreaterThan(3);
    for (const destination of outcome.destinations) expect(destination).toEqual(expected);
  });
});
