/**
 * @file The norm of many tensors together, and their scaling by it, without waiting for a number.
 *
 * Squares are summed in three ranges of size, those of large and of small elements scaled by powers of two, so that none overflows or is lost
 * in f32. A workgroup sums 4,096 elements of one tensor (256 lanes, then a fixed tree); one workgroup sums the blocks of all tensors.
 * @source J. L. Blue, "A portable Fortran program to find the Euclidean norm of a vector", ACM TOMS 4, 1978: thresholds and scales for f32.
 */
import type { TensorView } from "@lockstep/core";
import { numElements } from "@lockstep/core/backend";
import { defineKernel, type KernelHost, type WgslKernel, type WgslLibrary } from "../launch/kernel.js";
import {
  accessKey,
  batchRuns,
  type RunBatch,
  runFunctions,
  runOperands,
  runParams,
  runPlace,
  runViews,
} from "../launch/view-runs.js";
import { bits } from "../math/bits.js";

const blockLength = 4_096;
/** Elements above 2^52 are scaled by 2^-76 before they are squared, those below 2^-63 by 2^75. */
const [bigScale, smallScale] = [2 ** -76, 2 ** 75];

/** Sums of a lane -> sums of the workgroup, in lane 0. Called in uniform control flow. */
const threeSums: WgslLibrary = {
  name: "threeSums",
  code: `
const BIG_SCALE = 0x1p-76f;
const SMALL_SCALE = 0x1p75f;
var<workgroup> lanes: array<vec3f, 256>;
fn sumOfLanes(own: vec3f, lane: u32) -> vec3f {
  lanes[lane] = own;
  for (var half = 128u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { lanes[lane] += lanes[lane + half]; }
  }
  workgroupBarrier();
  return lanes[0];
}`,
};

const readOnly = { type: "f32", isWritten: [false] } as const;
const inPlace = { type: "f32", isWritten: [true] } as const;

/** partials[base + group] = the three sums of a block. */
function squaresKernel(batch: RunBatch, name: string): WgslKernel {
  return {
    name,
    operands: { ...runOperands(batch, readOnly), partials: "write f32" },
    params: { ...runParams, base: "u32" },
    uses: [threeSums],
    declarations: runFunctions(batch, readOnly),
    body: `
  if (group >= p.numGroups) { return; }${runPlace(1)}
  var sums = vec3f();
  let end = min((first + 1u) * ${blockLength}u, count);
  for (var i = first * ${blockLength}u + lane; i < end; i += 256u) {
    let x = v0_at(kind, at0 + i);
    if (abs(x) > 0x1p52f) { sums.x += (x * BIG_SCALE) * (x * BIG_SCALE); }
    else if (abs(x) < 0x1p-63f) { sums.z += (x * SMALL_SCALE) * (x * SMALL_SCALE); }
    else { sums.y += x * x; }
  }
  let total = sumOfLanes(sums, lane);
  if (lane < 3u) { partials_put((p.base + group) * 3u + lane, total[lane]); }`,
  };
}

/** result = [factor, the three sums], factor = goal / (norm + eps), where it clips at most 1. The sums of numBlocks blocks are added lane by lane, then by the tree. */
const factorKernel = defineKernel({
  name: "normFactor",
  operands: { partials: "read f32", result: "write f32" },
  params: { numBlocks: "u32", goal: "f32", eps: "f32", clips: "u32" },
  uses: [bits, threeSums],
  body: `
  var sums = vec3f();
  for (var block = lane; block < p.numBlocks; block += 256u) {
    sums += vec3f(partials_at(block * 3u), partials_at(block * 3u + 1u), partials_at(block * 3u + 2u));
  }
  let total = sumOfLanes(sums, lane);
  if (lane > 0u) { return; }
  var factor = 0.0;
  var isAbove = true;
  if (total.x > 0.0) {
    /* the norm itself may be past the largest f32 */
    let root = sqrt(total.x + (total.y * BIG_SCALE) * BIG_SCALE);
    factor = (p.goal * BIG_SCALE) / root;
    isAbove = root > p.goal * BIG_SCALE;
  } else {
    let norm = sqrt(total.y + (total.z / SMALL_SCALE) / SMALL_SCALE);
    factor = p.goal / (norm + p.eps);
    isAbove = norm > p.goal;
  }
  if (isInf(total.x)) { factor = 0.0; }
  if (isNan(total.x) || isNan(total.y)) { factor = nan(); isAbove = false; }
  if (p.clips == 1u && !isAbove) { factor = 1.0; }
  result_put(0u, factor);
  result_put(1u, total.x);
  result_put(2u, total.y);
  result_put(3u, total.z);`,
});

function scaleKernel(batch: RunBatch, name: string): WgslKernel {
  return {
    name,
    operands: { ...runOperands(batch, inPlace), factor: "read f32" },
    params: runParams,
    declarations: runFunctions(batch, inPlace),
    body: `
  let factor = factor_at(0u);
  if (group >= p.numGroups || factor == 1.0) { return; }${runPlace(1)}
  let end = min((first + 1u) * ${blockLength}u, count);
  for (var i = first * ${blockLength}u + lane; i < end; i += 256u) {
    v0_put(kind, at0 + i, v0_at(kind, at0 + i) * factor);
  }`,
  };
}

/** Multiplies by min(1, maxNorm / (norm + eps)), or by 1 / (norm + eps). */
export type NormScaling =
  | { readonly kind: "clip"; readonly maxNorm: number; readonly eps: number }
  | { readonly kind: "unit"; readonly eps: number };

export class GlobalNorm {
  readonly #host: KernelHost;
  readonly #kernels = new Map<string, WgslKernel>();

  constructor(host: KernelHost) {
    this.#host = host;
  }

  /**
   * Scales contiguous f32 tensors in place.
   *
   * @param use is given [factor, sums of squares of large, middle and small elements] to read.
   */
  scale<T>(tensors: readonly TensorView[], scaling: NormScaling, use: (result: TensorView) => T): T {
    const host = this.#host;
    const runs = tensors.map((view) => ({ views: [view], count: numElements(view.shape) }));
    const batches = batchRuns(host, runs, { blockLength, numOther: 1 });
    const numBlocks = batches.reduce((sum, { numGroups }) => sum + numGroups, 0);
    const maxNorm = scaling.kind === "clip" ? scaling.maxNorm : 1;
    return host.withTemporary([4], "f32", (result) => {
      host.withTemporary([Math.max(1, 3 * numBlocks)], "f32", (partials) => {
        let base = 0;
        for (const batch of batches) {
          this.#launch("squares", squaresKernel, batch, { views: { partials }, params: { base } });
          base += batch.numGroups;
        }
        const params = { numBlocks, goal: maxNorm, eps: scaling.eps, clips: scaling.kind === "clip" ? 1 : 0 };
        host.launch(factorKernel, { partials, result }, params, { groups: 1 });
      });
      if (maxNorm < Number.POSITIVE_INFINITY) {
        for (const batch of batches) {
          this.#launch("scaleByNorm", scaleKernel, batch, { views: { factor: result }, params: {} });
        }
      }
      return use(result);
    });
  }

  #launch(
    name: string,
    define: (batch: RunBatch, name: string) => WgslKernel,
    batch: RunBatch,
    own: { readonly views: Readonly<Record<string, TensorView>>; readonly params: Readonly<Record<string, number>> },
  ): void {
    const key = `${name}#${accessKey(batch)}`;
    const kernel = this.#kernels.get(key) ?? define(batch, `${name}#${this.#kernels.size}`);
    this.#kernels.set(key, kernel);
    const { numRuns, numGroups } = batch;
    const views = { ...runViews(this.#host, batch, "f32"), ...own.views };
    this.#host.launch(kernel, views, { numRuns, numGroups, ...own.params }, { groups: numGroups });
  }
}

/** The norm from what `GlobalNorm.scale` left, in f64. */
export function normOf(result: ArrayLike<number>): number {
  return Math.sqrt(result[1]! / bigScale ** 2 + result[2]! + result[3]! / smallScale ** 2);
}
