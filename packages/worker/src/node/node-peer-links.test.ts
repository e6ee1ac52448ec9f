import { bucketsOf, GradientExchange, type ProcessGroup } from "@lockstep/collectives";
import { WebSocketTransport } from "@lockstep/collectives/node";
import { plainVectorOps, realClock } from "@lockstep/collectives/testing";
import type { FrameChannel, MessageBody } from "@lockstep/protocol";
import { afterEach, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { NodePeerLinks } from "./node-peer-links.js";

const open: NodePeerLinks[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((links) => links.dispose()));
});

const ticketOf = (rank: number): string => String(rank).repeat(32);

async function createMember(
  rank: number,
  options: { listens: boolean; relay?: FrameChannel; relayGate?: () => Promise<void> },
) {
  const transport = new WebSocketTransport({
    workerId: `w${rank}`,
    sockets: { WebSocketServer },
    clock: realClock,
  });
  const listenUrls: string[] = [];
  if (options.listens) {
    const { port } = await transport.bind({ host: "127.0.0.1", port: 0 });
    listenUrls.push(`ws://127.0.0.1:${port}`);
  }
  const links = new NodePeerLinks({
    transport,
    openRelay: async () => {
      await options.relayGate?.();
      if (options.relay === undefined) throw new Error("no relay here");
      return options.relay;
    },
    clock: realClock,
    log: () => {},
  });
  open.push(links);
  return {
    links,
    transport,
    member: { rank, workerId: `w${rank}`, name: `worker ${rank}`, listenUrls, ticket: ticketOf(rank) },
  };
}

type Member = Awaited<ReturnType<typeof createMember>>;

/** Reduces a vector of 40 floats, node [rank, rank + 1) from each rank. */
async function reduce(
  members: readonly Member[],
  relayPairs: [number, number][],
  generation = 1,
): Promise<Float32Array[]> {
  const groups = await Promise.all(members.map(({ links }) => links.route({ generation, relayPairs })));
  return Promise.all(groups.map((group, rank) => exchangeOf(group, rank).result));
}

/** One rank's part in the reduction. */
function exchangeOf(group: ProcessGroup, rank: number) {
  const destination = new Float32Array(40);
  const exchange = new GradientExchange(group, {
    step: 1,
    attempt: 0,
    numMicroBatches: group.worldSize,
    nodesByRank: group.members.map((_, r) => [{ lo: r, hi: r + 1 }]),
    buckets: bucketsOf(40, 40),
    destination,
    ops: plainVectorOps,
  });
  const values = Float32Array.from({ length: 40 }, (_, i) => i + rank);
  exchange.provide({ lo: rank, hi: rank + 1, weight: 1 }, 0, values);
  return { result: exchange.done.then(() => destination) };
}

function startOf(members: readonly Member[], generation = 1): MessageBody<"startGeneration"> {
  return {
    generation,
    members: members.map(({ member }) => member),
    numMicroBatches: members.length,
    reason: "test",
  };
}

test("members that can dial each other exchange directly", async () => {
  const members = await Promise.all([0, 1, 2].map((rank) => createMember(rank, { listens: true })));
  const start = startOf(members);
  const links = await Promise.all(members.map(({ links: own }, rank) => own.link(start, rank)));
  expect(links.flat().every(({ isDirect }) => isDirect)).toBe(true);
  expect(links.map((list) => list.map(({ rank }) => rank))).toEqual([
    [1, 2],
    [0, 2],
    [0, 1],
  ]);
  const mean = Float32Array.from({ length: 40 }, (_, i) => Math.fround((3 * i + 3) / 3));
  expect(await reduce(members, [])).toEqual([mean, mean, mean]);
});

test("a member that does not listen is reached over the relay", async () => {
  const [a, b] = createPipe(0, 1);
  const members = [
    await createMember(0, { listens: true, relay: a }),
    await createMember(1, { listens: false, relay: b }),
  ];
  const start = startOf(members);
  const links = await Promise.all(members.map(({ links: own }, rank) => own.link(start, rank)));
  expect(links).toEqual([
    [{ rank: 1, isDirect: false, reason: "it does not listen" }],
    [{ rank: 0, isDirect: true, reason: null }],
  ]);
  const mean = Float32Array.from({ length: 40 }, (_, i) => Math.fround((2 * i + 1) / 2));
  // What rank 0 cannot dial is data from rank 1 to rank 0.
  expect(await reduce(members, [[1, 0]])).toEqual([mean, mean]);
});

test("frames that come before their generation's routes wait for them, in every generation", async () => {
  const [a, b] = await Promise.all([0, 1].map((rank) => createMember(rank, { listens: true })));
  const mean = Float32Array.from({ length: 40 }, (_, i) => Math.fround((2 * i + 1) / 2));
  for (const generation of [1, 2, 3]) {
    const start = startOf([a!, b!], generation);
    await Promise.all([a!, b!].map(({ links }, rank) => links.link(start, rank)));
    const routes = { generation, relayPairs: [] };
    const framesBefore = b!.transport.counters("w0").framesReceived;
    const first = exchangeOf(await a!.links.route(routes), 0);
    await until(() => b!.transport.counters("w0").framesReceived > framesBefore);
    const second = exchangeOf(await b!.links.route(routes), 1);
    expect(await Promise.all([first.result, second.result])).toEqual([mean, mean]);
  }
});

test("a generation that was overtaken while its relay was opened does not come back", async () => {
  let release = (): void => {};
  const gates = [
    new Promise<void>((resolve) => {
      release = resolve;
    }),
    Promise.resolve(),
  ];
  const [a, b] = [
    await createMember(0, { listens: true, relayGate: () => gates.shift()! }),
    await createMember(1, { listens: true }),
  ];
  const overtaken = a.links.link(startOf([b, a], 1), 0);
  const start = startOf([a, b], 2);
  await Promise.all([a, b].map(({ links }, rank) => links.link(start, rank)));
  release();
  await overtaken;
  const mean = Float32Array.from({ length: 40 }, (_, i) => Math.fround((2 * i + 1) / 2));
  expect(await reduce([a, b], [], 2)).toEqual([mean, mean]);
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

/** Two ends of a relay that has only these two ranks. */
function createPipe(_a: number, _b: number): [FrameChannel, FrameChannel] {
  const listeners: ((bytes: Uint8Array) => void)[] = [() => {}, () => {}];
  const end = (own: 0 | 1): FrameChannel => ({
    send: async (parts) => {
      const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
      let at = 0;
      for (const part of parts) {
        bytes.set(part, at);
        at += part.byteLength;
      }
      listeners[1 - own]!(bytes);
    },
    onFrame: (listener) => {
      listeners[own] = listener;
    },
    onClose: () => {},
    close: () => {},
  });
  return [end(0), end(1)];
}
