/**
 * @file What lockstep costs: whole `lockstep run` processes against plain loops with the same micro-batches, in turn.
 *
 * Two workers against two independent plain loops at the same time, each with half of the micro-batches (the same work between two
 * optimizer steps); one worker against one plain loop. gpt-small, M = 8, one thread a worker, strict.
 */
import { execFile, fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type BenchContext, type BenchRow, summarize } from "./bench-row.js";

const numMicroBatches = 8;
const steps = 24;
/** Steps that compile kernels and fill caches. */
const warmUpSteps = 4;
const job = fileURLToPath(new URL("../jobs/gpt-small.ts", import.meta.url));
const plainLoop = fileURLToPath(new URL("./plain-loop-process.ts", import.meta.url));
const command = fileURLToPath(new URL("../../apps/cli/bin/lockstep.js", import.meta.url));

interface MetricsLine {
  readonly stepMs: number;
  readonly tokensPerSec: number;
  readonly computeMs: number;
  readonly commMs: number;
  readonly bytesSent: number;
}

export async function scaling(context: BenchContext): Promise<readonly BenchRow[]> {
  const workers = new Map<number, number[]>([1, 2].map((n) => [n, []]));
  const plain = new Map<number, number[]>([1, 2].map((n) => [n, []]));
  const bytes = new Map<number, number>();
  for (let run = 0; run < context.runs; run++) {
    context.log(`scaling: run ${run + 1} of ${context.runs}`);
    for (const n of [1, 2]) {
      plain.get(n)!.push(await independentLoops(n));
      const { tokensPerSec } = await lockstepRun(n);
      workers.get(n)!.push(tokensPerSec);
    }
  }
  for (const n of [2, 3, 4, 5]) bytes.set(n, (await lockstepRun(n, 6)).bytesShare);
  const throughput = [1, 2].map(
    (n): BenchRow => ({
      suite: "scaling",
      name: `gpt-small M=${numMicroBatches}`,
      metric: n === 1 ? "worldSize 1" : `${n} workers`,
      unit: "tokens/s",
      values: workers.get(n)!,
      peers: { [n === 1 ? "plainLoop" : "independent"]: plain.get(n)! },
    }),
  );
  const shares = [...bytes].map(
    ([n, share]): BenchRow => ({
      suite: "scaling",
      name: `bytes sent, ${n} workers`,
      metric: "of 2(N-1)/N x gradient",
      unit: "x",
      values: [share],
    }),
  );
  return [...throughput, ...shares];
}

/** Sum of the tokens a second of `count` plain loops that start together. */
async function independentLoops(count: number): Promise<number> {
  const children = Array.from({ length: count }, () =>
    fork(plainLoop, [String(numMicroBatches / count), String(steps)]),
  );
  const messageOf = (child: (typeof children)[number]) =>
    new Promise<unknown>((resolve, reject) => {
      child.once("message", resolve);
      child.once("exit", (code) => reject(new Error(`scaling: a plain loop exited with ${code}.`)));
    });
  await Promise.all(children.map(messageOf));
  const results = children.map(messageOf);
  for (const child of children) child.send("go");
  const rates = (await Promise.all(results)) as { tokensPerSec: number }[];
  return rates.reduce((total, { tokensPerSec }) => total + tokensPerSec, 0);
}

/** Median tokens a second after the warm-up, and bytes sent per worker over the least possible. */
async function lockstepRun(
  numWorkers: number,
  numSteps = steps,
): Promise<{ tokensPerSec: number; bytesShare: number }> {
  const out = mkdtempSync(join(tmpdir(), "lockstep-scaling-"));
  const flags = ["--workers", String(numWorkers), "--threads", "1", "--steps", String(numSteps), "--seed", "1"];
  try {
    await promisify(execFile)(process.execPath, [command, "run", job, ...flags, "--out", join(out, "run"), "--quiet"]);
    const lines = readFileSync(join(out, "run", "metrics.jsonl"), "utf8")
      .trim()
      .split("\n");
    const metrics = lines.map((line) => JSON.parse(line) as MetricsLine).slice(warmUpSteps);
    const summary = JSON.parse(readFileSync(join(out, "run", "summary.json"), "utf8")) as {
      bytesSentPerWorkerPerStep: number;
    };
    const least = ((2 * (numWorkers - 1)) / numWorkers) * gradientBytes;
    return {
      tokensPerSec: summarize(metrics.map(({ tokensPerSec }) => tokensPerSec)).median,
      bytesShare: least === 0 ? 0 : summary.bytesSentPerWorkerPerStep / least,
    };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** f32 gradient of gpt-small: 4 blocks of 198,272 parameters, two embeddings, the last norm. */
const gradientBytes = 4 * (4 * 198_272 + 65 * 128 + 128 * 128 + 256);
