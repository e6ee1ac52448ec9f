/**
 * @file One process of the all-reduce benchmark: the exchange as a worker runs it, over WebSockets, on one shared WebAssembly memory.
 */
import {
  barrier,
  bucketsOf,
  createProcessGroup,
  createVectorPool,
  FrameRouter,
  GradientExchange,
  type ProcessGroup,
} from "@lockstep/collectives";
import { WebSocketTransport } from "@lockstep/collectives/node";
import { realClock } from "@lockstep/collectives/testing";
import { createVectorOps } from "@lockstep/core";
import { BULK_HEADER_BYTES } from "@lockstep/protocol";
import { WebSocketServer } from "ws";
import { RawRing } from "./all-reduce-raw-tcp.js";

export type ProcessCommand =
  | { readonly kind: "listen" }
  | { readonly kind: "link"; readonly ports: readonly (readonly number[])[] }
  | { readonly kind: "exchange" | "raw"; readonly numBytes: number; readonly rounds: number }
  | { readonly kind: "stop" };

export interface ProcessReply {
  readonly ports?: readonly number[];
  readonly elapsedMs?: number;
}

const rank = Number(process.argv[2]);
const worldSize = Number(process.argv[3]);
const members = Array.from({ length: worldSize }, (_, i) => `w${i}`);
const MAX_GRADIENT_BYTES = 104_857_600;
/** 4 MiB and 1 MiB: see benchmarks/reports/all-reduce.md. */
const BUCKET_ELEMENTS = 1_048_576;
const FRAME_BYTES = 1_048_576 + BULK_HEADER_BYTES;
const PAGE = 65_536;
/** Prime, so that every block is looked into. */
const CHECK_STRIDE = 1_009;

const transport = new WebSocketTransport({
  workerId: `w${rank}`,
  sockets: { WebSocketServer },
  clock: realClock,
});
const memory = new WebAssembly.Memory({ initial: (6 * MAX_GRADIENT_BYTES) / PAGE, maximum: 65_536, shared: true });
const ring = new RawRing(Buffer.from(memory.buffer, 0, MAX_GRADIENT_BYTES));
const ops = createVectorOps(memory as never);
let allocated = 2 * MAX_GRADIENT_BYTES + 64;
const allocate = (length: number): Float32Array => {
  const vector = new Float32Array(memory.buffer, allocated, length);
  allocated += (4 * length + 63) & ~63;
  return vector;
};
const pool = createVectorPool({ allocate });
let group: ProcessGroup;
let step = 0;

async function link(ports: readonly (readonly number[])[]): Promise<void> {
  transport.admit(members.map((workerId) => ({ workerId, ticket: workerId })));
  const dials = members.flatMap((peerId, i) =>
    i === rank
      ? []
      : [transport.dial({ peerId, url: `ws://127.0.0.1:${ports[i]?.[0]}`, ticket: `w${rank}`, deadlineMs: 10_000 })],
  );
  await Promise.all([...dials, ring.link(ports[(rank + worldSize - 1) % worldSize]?.[1] ?? 0)]);
  group = createProcessGroup({
    generation: 1,
    members,
    router: new FrameRouter(transport),
    clock: realClock,
    deadlineMs: 60_000,
  });
}

/** Milliseconds of `rounds` exchanges of one node a rank. */
async function exchange(numBytes: number, rounds: number): Promise<number> {
  const length = numBytes / 4;
  const gradient = new Float32Array(memory.buffer, 0, length).fill(rank + 1);
  const destination = new Float32Array(memory.buffer, MAX_GRADIENT_BYTES, length);
  const buckets = bucketsOf(length, BUCKET_ELEMENTS);
  const nodesByRank = members.map((_, i) => [{ lo: i, hi: i + 1 }]);
  const options = { numMicroBatches: worldSize, nodesByRank, buckets, destination, ops, pool, attempt: 1 };
  await barrier(group);
  const start = performance.now();
  for (let round = 0; round < rounds; round++) {
    const running = new GradientExchange(group, { ...options, step: ++step, maxFrameBytes: FRAME_BYTES });
    for (const [bucket, { offset, length: n }] of buckets.entries()) {
      running.provide({ lo: rank, hi: rank + 1, weight: 1 }, bucket, gradient.subarray(offset, offset + n));
    }
    await running.done;
  }
  const elapsedMs = performance.now() - start;
  const expected = (worldSize + 1) / 2;
  for (let i = 0; i < length; i += CHECK_STRIDE) {
    if (destination[i] !== expected)
      throw new Error(`all-reduce: element ${i} is ${destination[i]}; it must be ${expected}.`);
  }
  return elapsedMs;
}

async function raw(numBytes: number, rounds: number): Promise<number> {
  await barrier(group);
  const start = performance.now();
  for (let round = 0; round < rounds; round++) await ring.exchange(numBytes);
  return performance.now() - start;
}

async function answer(command: ProcessCommand): Promise<ProcessReply> {
  switch (command.kind) {
    case "listen":
      return { ports: [(await transport.bind({ host: "127.0.0.1", port: 0 })).port, await ring.listen()] };
    case "link":
      await link(command.ports);
      return {};
    case "exchange":
      return { elapsedMs: await exchange(command.numBytes, command.rounds) };
    case "raw":
      return { elapsedMs: await raw(command.numBytes, command.rounds) };
    case "stop":
      await transport.dispose();
      ring.close();
      process.exit(0);
  }
}

process.on("message", async (command: ProcessCommand) => process.send?.(await answer(command)));
