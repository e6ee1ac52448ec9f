/**
 * @file What every Transport must keep, as a suite: run it with a function that makes linked transports.
 *
 * Each case throws an Error that says what differed; `test` is the runner's.
 */
import { BULK_HEADER_BYTES, emptyBulkHeader } from "@lockstep/protocol";
import type { Clock } from "../clock.js";
import { CollectiveError } from "../errors.js";
import { FrameRouter } from "../group/frame-router.js";
import { createProcessGroup } from "../group/process-group.js";
import { type BulkFrame, bytesOf, floatsOf, type Transport } from "../transport/transport.js";
import { assertReduction, reductionInput, runRank } from "./reduction-case.js";

export interface TransportHarness {
  /** Workers "w0", "w1", ..., each linked with each; rank order of generation 1. */
  readonly transports: readonly Transport[];
  readonly clock: Clock;
  /** Lets the network work until the promise settles. */
  runUntil<T>(promise: Promise<T>): Promise<T>;
  /** This worker is gone at once, without a word. */
  kill(rank: number): void;
  dispose(): Promise<void>;
}

export type CreateTransports = (worldSize: number) => Promise<TransportHarness>;

/** Registers the suite. @source none: ours */
export function transportConformance(
  test: (name: string, run: () => Promise<void>) => void,
  createTransports: CreateTransports,
): void {
  for (const [name, [worldSize, check]] of Object.entries(cases)) {
    test(name, async () => {
      const harness = await createTransports(worldSize);
      try {
        await check(harness);
      } finally {
        await harness.dispose();
      }
    });
  }
}

type Check = (harness: TransportHarness) => Promise<void>;

const cases: Readonly<Record<string, readonly [worldSize: number, check: Check]>> = {
  "frames arrive whole, once and in the order in which they were sent": [2, arrivesInOrder],
  "every pair talks in both directions at once": [3, everyPairTalks],
  "memory may change as soon as send resolves": [2, memoryIsFreeAfterSend],
  "frames that come before the listener wait for it": [2, waitsForListener],
  "a paused peer's frames wait until resume, in order": [2, pauseHolds],
  "a lost peer is reported once and its sends reject": [3, lossIsReported],
  "a peer that does not exist cannot be sent to": [2, unknownPeerRejects],
  "nothing can be sent after dispose": [2, disposeRejects],
  "counters count headers and payloads": [2, countersCount],
  "an exchange over these transports gives the tree oracle's bits": [4, exchangeIsExact],
};

const LENGTHS = [1, 0, 3, 250, 70_000, 2, 300_000];

async function arrivesInOrder({ transports, runUntil }: TransportHarness): Promise<void> {
  const [a, b] = transports as [Transport, Transport];
  const received = collect(b, LENGTHS.length);
  const sent = LENGTHS.map((length, i) => a.send(b.workerId, frameOf(i, length)));
  const frames = await runUntil(Promise.all([received, ...sent]).then(([all]) => all));
  for (const [i, { peerId, frame }] of frames.entries()) {
    expectEqual("peer", peerId, a.workerId);
    expectFrame(frame, i, LENGTHS[i]!);
  }
}

async function everyPairTalks({ transports, runUntil }: TransportHarness): Promise<void> {
  const numEach = 5;
  const received = transports.map((transport) => collect(transport, numEach * (transports.length - 1)));
  const sent = transports.flatMap((from) =>
    transports
      .filter((to) => to !== from)
      .flatMap((to) => Array.from({ length: numEach }, (_, i) => from.send(to.workerId, frameOf(i, 100 * i)))),
  );
  const all = await runUntil(Promise.all(received));
  await runUntil(Promise.all(sent));
  for (const [rank, frames] of all.entries()) {
    for (const from of transports) {
      if (from === transports[rank]) continue;
      const steps = frames.filter(({ peerId }) => peerId === from.workerId).map(({ frame }) => frame.header.step);
      expectEqual(`steps from ${from.workerId}`, steps.join(), Array.from({ length: numEach }, (_, i) => i).join());
    }
  }
}

async function memoryIsFreeAfterSend({ transports, runUntil }: TransportHarness): Promise<void> {
  const [a, b] = transports as [Transport, Transport];
  const received = collect(b, 1);
  const frame = frameOf(0, 100_000);
  await runUntil(a.send(b.workerId, frame));
  floatsOf(frame.payload).fill(-1);
  const [first] = await runUntil(received);
  expectFrame(first!.frame, 0, 100_000);
}

async function waitsForListener({ transports, runUntil, clock }: TransportHarness): Promise<void> {
  const [a, b] = transports as [Transport, Transport];
  await runUntil(Promise.all([a.send(b.workerId, frameOf(0, 10)), a.send(b.workerId, frameOf(1, 10))]));
  await runUntil(elapsed(clock, 50));
  const frames = await runUntil(collect(b, 2));
  expectEqual("steps", frames.map(({ frame }) => frame.header.step).join(), "0,1");
}

async function pauseHolds({ transports, runUntil, clock }: TransportHarness): Promise<void> {
  const [a, b] = transports as [Transport, Transport];
  const seen: number[] = [];
  let wake: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    wake = resolve;
  });
  b.listen({
    onFrame: (_, frame) => {
      seen.push(frame.header.step);
      if (seen.length === 3) wake();
    },
    onPeerLost: () => {},
  });
  b.pause(a.workerId);
  const sent = [0, 1, 2].map((step) => a.send(b.workerId, frameOf(step, 1_000)));
  await runUntil(elapsed(clock, 50));
  expectEqual("frames during pause", seen.length, 0);
  b.resume(a.workerId);
  await runUntil(Promise.all([all, ...sent]));
  expectEqual("steps", seen.join(), "0,1,2");
}

async function lossIsReported({ transports, runUntil, kill, clock }: TransportHarness): Promise<void> {
  const [a, , c] = transports as [Transport, Transport, Transport];
  const losses: string[] = [];
  const lost = new Promise<void>((resolve) => {
    a.listen({
      onFrame: () => {},
      onPeerLost: (peerId) => {
        losses.push(peerId);
        resolve();
      },
    });
  });
  kill(2);
  await runUntil(lost);
  await expectRejects(runUntil(a.send(c.workerId, frameOf(0, 1))), "E_PEER_LOST");
  await runUntil(elapsed(clock, 50));
  expectEqual("losses", losses.join(), c.workerId);
  expectEqual("peers", a.peers().includes(c.workerId), false);
}

async function unknownPeerRejects({ transports, runUntil }: TransportHarness): Promise<void> {
  await expectRejects(runUntil(transports[0]!.send("nobody", frameOf(0, 1))), "E_PEER_LOST");
}

async function disposeRejects({ transports, runUntil }: TransportHarness): Promise<void> {
  const [a, b] = transports as [Transport, Transport];
  await runUntil(a.dispose());
  await expectRejects(runUntil(a.send(b.workerId, frameOf(0, 1))), "E_DISPOSED");
}

async function countersCount({ transports, runUntil }: TransportHarness): Promise<void> {
  const [a, b] = transports as [Transport, Transport];
  const received = collect(b, 2);
  await runUntil(Promise.all([a.send(b.workerId, frameOf(0, 25)), a.send(b.workerId, frameOf(1, 0)), received]));
  const numBytes = 2 * BULK_HEADER_BYTES + 100;
  const { bytesSent, framesSent } = a.counters(b.workerId);
  const { bytesReceived, framesReceived } = b.counters(a.workerId);
  expectEqual("sent", `${framesSent} frames, ${bytesSent} bytes`, `2 frames, ${numBytes} bytes`);
  expectEqual("received", `${framesReceived} frames, ${bytesReceived} bytes`, `2 frames, ${numBytes} bytes`);
}

async function exchangeIsExact({ transports, runUntil, clock }: TransportHarness): Promise<void> {
  const options = { seed: 3, worldSize: 4, numMicroBatches: 11, length: 10_007, bucketElements: 3_000 };
  const input = reductionInput(options);
  const members = transports.map(({ workerId }) => workerId);
  const groups = transports.map((transport) =>
    createProcessGroup({ generation: 1, members, router: new FrameRouter(transport), clock, deadlineMs: 20_000 }),
  );
  assertReduction(input, await runUntil(Promise.all(groups.map((group) => runRank(group, options, input)))));
}

interface Received {
  readonly peerId: string;
  readonly frame: BulkFrame;
}

function collect(transport: Transport, numFrames: number): Promise<Received[]> {
  const frames: Received[] = [];
  return new Promise((resolve, reject) => {
    transport.listen({
      onFrame: (peerId, frame) => {
        frames.push({ peerId, frame });
        if (frames.length === numFrames) resolve(frames);
      },
      onPeerLost: (peerId, reason) => reject(new Error(`worker "${peerId}" was lost: ${reason}`)),
    });
  });
}

function frameOf(step: number, length: number): BulkFrame {
  const values = Float32Array.from({ length }, (_, i) => step + i / 7);
  const header = { ...emptyBulkHeader, kind: "gatheredShard", stream: "collective", generation: 1, step } as const;
  return { header: { ...header, elementCount: length }, payload: bytesOf(values) };
}

function expectFrame(frame: BulkFrame, step: number, length: number): void {
  expectEqual("step", frame.header.step, step);
  const values = floatsOf(frame.payload);
  expectEqual("length", values.length, length);
  const at = values.findIndex((value, i) => value !== Math.fround(step + i / 7));
  expectEqual("first element that differs", at, -1);
}

function elapsed(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => void clock.schedule(delayMs, resolve));
}

async function expectRejects(promise: Promise<unknown>, code: string): Promise<void> {
  const outcome = await promise.then(
    () => "no error",
    (error: unknown) => (error instanceof CollectiveError ? error.code : String(error)),
  );
  expectEqual("outcome", outcome, code);
}

function expectEqual(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`transportConformance: ${what} is ${actual}; it must be ${expected}.`);
}
