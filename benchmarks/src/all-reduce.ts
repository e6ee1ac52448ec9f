/**
 * @file All-reduce between real processes on loopback, beside raw two-way TCP between the same processes, run alternately.
 *
 * Bus bandwidth is bytes x 2(N-1)/N / time: what every process must send and receive, whatever the algorithm. The raw peer sends just
 * that many bytes to its neighbour while it receives as many from the other one, with Node's fastest way of reading.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ProcessCommand, ProcessReply } from "./all-reduce-process.js";
import type { BenchContext, BenchRow } from "./bench-row.js";

const MIB = 1_048_576;
const gradientMib = [1, 25, 100];
const latencyBytes = 1_024;
const worldSizes = [2, 4];
const latencyRounds = 200;

class Crew {
  private readonly children: ChildProcess[];
  private readonly waiting: ((reply: ProcessReply) => void)[][];

  constructor(worldSize: number) {
    const file = fileURLToPath(new URL("./all-reduce-process.ts", import.meta.url));
    this.waiting = Array.from({ length: worldSize }, () => []);
    this.children = Array.from({ length: worldSize }, (_, rank) => {
      const child = fork(file, [String(rank), String(worldSize)]);
      child.on("message", (reply: ProcessReply) => this.waiting[rank]?.shift()?.(reply));
      child.on("exit", (code) => {
        if (code !== 0) throw new Error(`all-reduce: process ${rank} of ${worldSize} exited with ${code}.`);
      });
      return child;
    });
  }

  /** Sends the command to everyone and waits for everyone's reply. */
  all(command: ProcessCommand): Promise<ProcessReply[]> {
    return Promise.all(
      this.children.map((child, rank) => {
        const reply = new Promise<ProcessReply>((resolve) => this.waiting[rank]?.push(resolve));
        child.send(command);
        return reply;
      }),
    );
  }

  async start(): Promise<void> {
    const listening = await this.all({ kind: "listen" });
    await this.all({ kind: "link", ports: listening.map(({ ports }) => ports ?? []) });
  }

  /** Milliseconds of the slowest process. */
  async measure(command: ProcessCommand): Promise<number> {
    return Math.max(...(await this.all(command)).map(({ elapsedMs }) => elapsedMs ?? Number.NaN));
  }

  async stop(): Promise<void> {
    const exits = this.children.map((child) => new Promise((resolve) => child.once("exit", resolve)));
    for (const child of this.children) child.send({ kind: "stop" } satisfies ProcessCommand);
    await Promise.all(exits);
  }
}

/** Bus bandwidth at each size and latency at 1 KiB, 2 and 4 processes. */
export async function allReduce(context: BenchContext): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const worldSize of worldSizes) {
    const crew = new Crew(worldSize);
    await crew.start();
    for (const mib of gradientMib) rows.push(await bandwidth(crew, { worldSize, mib, runs: context.runs }));
    rows.push(await latency(crew, worldSize, context.runs));
    await crew.stop();
    context.log(`all-reduce: ${worldSize} processes done`);
  }
  return rows;
}

async function bandwidth(crew: Crew, options: { worldSize: number; mib: number; runs: number }): Promise<BenchRow> {
  const { worldSize, mib, runs } = options;
  const numBytes = mib * MIB;
  const busBytes = (numBytes * 2 * (worldSize - 1)) / worldSize;
  const rounds = mib === 1 ? 10 : 1;
  const values: number[] = [];
  const rawTcp: number[] = [];
  for (let run = -1; run < runs; run++) {
    const ours = await crew.measure({ kind: "exchange", numBytes, rounds });
    const raw = await crew.measure({ kind: "raw", numBytes: busBytes, rounds });
    if (run < 0) continue; // the first warms up
    values.push((busBytes * rounds) / ours / 1e6);
    rawTcp.push((busBytes * rounds) / raw / 1e6);
  }
  const name = `${mib} MiB, ${worldSize} processes`;
  return { suite: "all-reduce", name, metric: "bus bandwidth", unit: "GB/s", values, peers: { rawTcp } };
}

async function latency(crew: Crew, worldSize: number, runs: number): Promise<BenchRow> {
  const values: number[] = [];
  const rawTcp: number[] = [];
  for (let run = -1; run < runs; run++) {
    const ours = await crew.measure({ kind: "exchange", numBytes: latencyBytes, rounds: latencyRounds });
    const raw = await crew.measure({ kind: "raw", numBytes: latencyBytes, rounds: latencyRounds });
    if (run < 0) continue;
    values.push((1_000 * ours) / latencyRounds);
    rawTcp.push((1_000 * raw) / latencyRounds);
  }
  const name = `1 KiB, ${worldSize} processes`;
  return { suite: "all-reduce", name, metric: "latency", unit: "us", values, peers: { rawTcp } };
}
