/**
 * @file Hashes of many blocks of many tensors at once, which is how the state of a step is hashed: a workgroup of 16 invocations a block, one
 * launch for as many tensors as can be bound together.
 */
import type { TensorView } from "@lockstep/core";
import { hashPrimes, initialFactor, numElements, stripeWords } from "@lockstep/core/backend";
import type { KernelHost, WgslKernel } from "../launch/kernel.js";
import {
  accessKey,
  batchRuns,
  byKind,
  type RunBatch,
  runFunctions,
  runOperands,
  runParams,
  runPlace,
  runViews,
} from "../launch/view-runs.js";
import { mixed, walkFunction } from "./hash-walk.js";

const access = { type: "i32", isWritten: [false] } as const;

function blocksKernel(batch: RunBatch, name: string): WgslKernel {
  const slots = batch.kinds.map(([slot]) => slot!);
  // A walk for each buffer, so that its loop asks no questions.
  const walks = [...new Set(slots)].map((slot) => walkFunction(`walk${slot}`, `slot${slot}_at`));
  return {
    name,
    operands: { ...runOperands(batch, access), lanes: "write i32" },
    params: { ...runParams, blockWords: "u32", base: "u32" },
    workgroup: [stripeWords, 1, 1],
    declarations: `${runFunctions(batch, access)}${mixed}${walks.join("")}
fn walkOf(kind: u32, start: u32, first: u32, end: u32, before: u32) -> u32 {${byKind(slots, (slot) => `return walk${slot}(start, first, end, before);`)}}`,
    body: `
  if (group >= p.numGroups) { return; }${runPlace(1)}
  let begin = first * p.blockWords;
  let end = min(begin + p.blockWords, count);
  let before = ((lane + 1u) * ${initialFactor}u) ^ ${hashPrimes[0]}u;
  let a = walkOf(kind, at0, begin + lane, end, before);
  lanes_put((p.base + group) * ${stripeWords}u + lane, bitcast<i32>(a));`,
  };
}

export class BlockHashes {
  readonly #host: KernelHost;
  readonly #kernels = new Map<string, WgslKernel>();

  constructor(host: KernelHost) {
    this.#host = host;
  }

  /** @param use is given the accumulators of all blocks, [blocks, 16], after the last whole word of each. */
  mix<T>(
    tensors: readonly TensorView[],
    { blockWords, use }: { readonly blockWords: number; readonly use: (lanes: TensorView) => T },
  ): T {
    const host = this.#host;
    const runs = tensors.map((view) => ({ views: [view], count: numElements(view.shape) }));
    const batches = batchRuns(host, runs, { blockLength: blockWords, numOther: 1 });
    const numBlocks = batches.reduce((sum, { numGroups }) => sum + numGroups, 0);
    return host.withTemporary([numBlocks, stripeWords], "i32", (lanes) => {
      let base = 0;
      for (const batch of batches) {
        const { numRuns, numGroups } = batch;
        const views = { ...runViews(host, batch, "i32"), lanes };
        host.launch(this.#kernelOf(batch), views, { numRuns, numGroups, blockWords, base }, { groups: numGroups });
        base += numGroups;
      }
      return use(lanes);
    });
  }

  #kernelOf(batch: RunBatch): WgslKernel {
    const key = accessKey(batch);
    const kernel = this.#kernels.get(key) ?? blocksKernel(batch, `hashBlocks#${this.#kernels.size}`);
    this.#kernels.set(key, kernel);
    return kernel;
  }
}
