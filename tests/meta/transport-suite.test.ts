/** @file The transport suite is only worth something if it fails for a broken transport: known bugs are planted in a sound one. */
import type { BulkFrame, Transport } from "@lockstep/collectives";
import { SimNetwork, transportConformance } from "@lockstep/collectives/testing";
import { expect, test } from "vitest";

type Send = Transport["send"];
type Plant = (send: Send, transport: Transport) => Send;

/** Names of the suite's cases that fail over a simulated network whose `send` the plant replaced. */
async function failuresWith(plant: Plant): Promise<string[]> {
  const cases: [string, () => Promise<void>][] = [];
  transportConformance(
    (name, run) => void cases.push([name, run]),
    async (worldSize) => {
      const network = new SimNetwork({ seed: 17 });
      const transports = Array.from({ length: worldSize }, (_, rank) => network.createTransport(`w${rank}`));
      return {
        transports: transports.map((transport) =>
          withSend(transport, plant(transport.send.bind(transport), transport)),
        ),
        clock: network.clock,
        runUntil: (promise) => network.clock.runUntil(promise),
        kill: (rank) => network.drop(`w${rank}`),
        dispose: async () => {},
      };
    },
  );
  const failed: string[] = [];
  for (const [name, run] of cases) await run().catch(() => failed.push(name));
  return failed;
}

function withSend(transport: Transport, send: Send): Transport {
  return new Proxy(transport, {
    get(target, name) {
      if (name === "send") return send;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const isBig = (frame: BulkFrame) => frame.payload.byteLength >= 400;

function changed(frame: BulkFrame, change: (bytes: Uint8Array) => void): BulkFrame {
  const payload = frame.payload.slice();
  change(payload);
  return { header: frame.header, payload };
}

test("a sound transport passes", async () => {
  expect(await failuresWith((send) => send)).toEqual([]);
});

const plants: readonly [bug: string, plant: Plant, finds: string][] = [
  [
    "drops a frame",
    (send) => {
      let sent = 0;
      return (peerId, frame, options) => (++sent % 3 === 0 ? Promise.resolve() : send(peerId, frame, options));
    },
    "in the order in which they were sent",
  ],
  [
    "sends a frame twice",
    (send) => (peerId, frame, options) => {
      const twice = [...(isBig(frame) ? [changed(frame, () => {})] : []), frame];
      return Promise.all(twice.map((one) => send(peerId, one, options))).then(() => undefined);
    },
    "in the order in which they were sent",
  ],
  [
    "flips one bit of a long payload",
    (send) => (peerId, frame, options) =>
      send(peerId, isBig(frame) ? changed(frame, (bytes) => bytes.set([bytes[399]! ^ 1], 399)) : frame, options),
    "in the order in which they were sent",
  ],
  [
    "gives a frame of rank 1 to rank 2",
    (send, { workerId }) =>
      (peerId, frame, options) =>
        send(
          peerId === "w1" && workerId === "w0" && frame.header.stream === "gradient" ? "w2" : peerId,
          frame,
          options,
        ),
    "gives the tree oracle's bits",
  ],
  [
    "keeps the sender's memory after send resolved",
    (send) => (peerId, frame, options) => {
      const later = async () => {
        for (let turn = 0; turn < 50; turn++) await null;
        await send(peerId, frame, options);
      };
      later().catch(() => {});
      return Promise.resolve();
    },
    "memory may change as soon as send resolves",
  ],
];

test.each(plants)("finds a transport that %s", async (_bug, plant, finds) => {
  expect(await failuresWith(plant)).toContainEqual(expect.stringContaining(finds));
});
