/** @file Array functions on 1,000,000 floats, one thread, beside NumPy: the public calls, results allocated and freed on both sides. */
import { abs, layerNorm, scope, tensor, withBackend } from "@lockstep/core";
import { createNodeCpuBackend } from "@lockstep/core/node";
import { type BenchContext, type BenchRow, summarize } from "./bench-row.js";
import { findTorchPython, TorchPeer } from "./torch-peer.js";

const numElements = 1_000_000;
const width = 1_000;
/** Of each timing. */
const seconds = 0.25;

function works(): Readonly<Record<string, () => unknown>> {
  const values = (length: number, seed: number) =>
    Float32Array.from({ length }, (_, i) => ((((i + seed) * 7_919) % 10_007) / 10_007) * 6 - 3);
  const x = tensor(values(numElements, 0));
  const y = tensor(values(numElements, 5));
  const rows = x.reshape([-1, width]);
  const [weight, bias] = [tensor(values(width, 1)), tensor(values(width, 2))];
  const size = abs(x);
  const mask = x.gt(0);
  return {
    add: () => x.add(y),
    mul: () => x.mul(y),
    exp: () => x.exp(),
    tanh: () => x.tanh(),
    "gelu (tanh)": () => x.gelu({ approximate: "tanh" }),
    softmax: () => rows.softmax(),
    layerNorm: () => layerNorm(rows, weight, bias),
    log1p: () => size.log1p(),
    sum: () => x.sum(),
    "x > 0, as mask": () => x.gt(0),
    "count of a mask": () => mask.sum(),
  };
}

/** Microseconds of the median call. */
function time(work: () => unknown, nowMs: () => number): number {
  const end = nowMs() + 1_000 * seconds;
  const times: number[] = [];
  for (let start = nowMs(); start < end; start = nowMs()) {
    scope(() => void work());
    times.push(1_000 * (nowMs() - start));
  }
  return summarize(times).median;
}

/** Microseconds of each function, ours and NumPy's in turn. */
export async function arrays(context: BenchContext): Promise<BenchRow[]> {
  const backend = createNodeCpuBackend({ threads: 1 });
  const python = findTorchPython();
  const peer = python === undefined ? undefined : new TorchPeer(python, { script: "numpy_arrays.py" });
  try {
    const made = withBackend(backend, works);
    const rows: BenchRow[] = [];
    for (const [name, work] of Object.entries(made)) {
      if (context.only.length > 0 && !context.only.includes(name)) continue;
      const ours: number[] = [];
      const theirs: number[] = [];
      time(work, context.nowMs);
      for (let run = 0; run < context.runs; run++) {
        ours.push(time(work, context.nowMs));
        if (peer !== undefined) theirs.push(1e6 / (await peer.measure(name, seconds)));
      }
      const peers = peer === undefined ? {} : { numpy: theirs };
      rows.push({ suite: "arrays", name, metric: "1 M floats, 1 thread", unit: "us", values: ours, peers });
      context.log(`arrays: ${name} done`);
    }
    return rows;
  } finally {
    peer?.dispose();
    backend.dispose();
  }
}
