/** @file Host results that come later (core's LateResults): recorded at the call, read when they are there. */
import type { DTypeArray, LateResults, TensorView } from "@lockstep/core";
import { finishLanes, type KernelTable, numElements, stripeWords } from "@lockstep/core/backend";
import { findNonFinite, placeOf } from "./kernels/find-non-finite.js";
import { GlobalNorm, normOf } from "./kernels/global-norm.js";
import { mixWords } from "./kernels/hash.js";
import { BlockHashes } from "./kernels/hash-blocks.js";
import type { KernelHost } from "./launch/kernel.js";

/** As core's clipGradNorm. */
const clipEps = 1e-6;

export interface LateSources {
  readonly host: KernelHost;
  readonly kernels: Pick<KernelTable, "copy" | "fill">;
  /** The elements as they are at the call. */
  readonly read: (view: TensorView) => Promise<DTypeArray>;
}

export function createLateResults({ host, kernels, read }: LateSources): LateResults {
  const norm = new GlobalNorm(host);
  const blocks = new BlockHashes(host);
  return {
    async clipNorm(tensors, maxNorm) {
      const scaling = { kind: "clip", maxNorm, eps: clipEps } as const;
      return normOf(await norm.scale(tensors, scaling, read));
    },
    normalize(x, eps) {
      norm.scale([x], { kind: "unit", eps }, () => {});
    },
    async findNonFinite(x) {
      if (x.dtype !== "f32") return -1;
      return placeOf((await findNonFinite(host, x, kernels.fill, read))[0]!);
    },
    async hash(tensors) {
      const numWords = tensors.reduce((sum, { shape }) => sum + numElements(shape), 0);
      const lanes = await mixWords(host, tensors, { copy: kernels.copy, use: read });
      return finishLanes(lanes as Int32Array, numWords);
    },
    async hashBlocks(tensors, blockWords) {
      if (tensors.every(({ shape }) => numElements(shape) === 0)) return [];
      const lanes = (await blocks.mix(tensors, { blockWords, use: read })) as Int32Array;
      let first = 0;
      return tensors.flatMap(({ shape }) => {
        const length = numElements(shape);
        return Array.from({ length: Math.ceil(length / blockWords) }, (_, block) => {
          const own = lanes.subarray(stripeWords * first, stripeWords * ++first);
          return finishLanes(own, Math.min(blockWords, length - block * blockWords));
        });
      });
    },
  };
}
