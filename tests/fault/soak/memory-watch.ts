/** @file Resident memory of processes over time, and whether it is flat. */
import { readFileSync } from "node:fs";

const leastSamples = 24;
/** What a heap may swing between collections without anything being lost. */
const swingBytes = 16 * 1024 * 1024;
const maxGrowth = 1.1;

export interface MemoryVerdict {
  readonly name: string;
  readonly numSamples: number;
  /** Medians of the second and of the last quarter; the first is warm-up. */
  readonly earlyBytes: number;
  readonly lateBytes: number;
  readonly isFlat: boolean;
}

export class MemoryWatch {
  readonly #samples = new Map<string, number[]>();

  sample(name: string, pid: number): void {
    const bytes = residentBytes(pid);
    if (bytes === undefined) return;
    const samples = this.#samples.get(name) ?? [];
    samples.push(bytes);
    this.#samples.set(name, samples);
  }

  /** It did not live throughout. */
  forget(name: string): void {
    this.#samples.delete(name);
  }

  verdicts(): readonly MemoryVerdict[] {
    return [...this.#samples].map(([name, samples]) => judgeMemory(name, samples));
  }
}

/** Too few samples say nothing and count as flat. */
export function judgeMemory(name: string, samples: readonly number[]): MemoryVerdict {
  const quarter = Math.floor(samples.length / 4);
  const earlyBytes = median(samples.slice(quarter, 2 * quarter));
  const lateBytes = median(samples.slice(-quarter));
  const isFlat = samples.length < leastSamples || lateBytes <= earlyBytes * maxGrowth + swingBytes;
  return { name, numSamples: samples.length, earlyBytes, lateBytes, isFlat };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

function residentBytes(pid: number): number | undefined {
  try {
    const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined; // no /proc on this system, or the process is gone
  }
}
