/**
 * @file How 256 invocations share reductions: lanes along what is reduced, the rest of the workgroup over independent rows or columns.
 *
 * Every choice here is a function of shapes alone, so that the order of additions is.
 */
import type { WgslLibrary } from "../launch/kernel.js";
import { bits } from "../math/bits.js";

const workgroupSize = 256;

/** Lanes for a row of contiguous elements: 1, 8, 32 or 256, so that there are few pipelines. */
export function lanesOfRow(length: number): number {
  if (length <= 4) return 1;
  if (length <= 64) return 8;
  return length <= 512 ? 32 : 256;
}

/** The launch of one row a segment of LANES invocations. */
export function rowLaunch(
  numRows: number,
  length: number,
): { readonly groups: number; readonly constants: { readonly LANES: number } } {
  const lanes = lanesOfRow(length);
  return { groups: Math.ceil((numRows * lanes) / workgroupSize), constants: { LANES: lanes } };
}

/**
 * Where an invocation works: lane `l` of row `n`, whose elements begin at `start`. `isOurs` says whether there is such a row; where not,
 * it reads the last one. Uses p.numRows and p.length.
 */
export const rowPlace = `
  let l = lane % LANES;
  let wanted = group * (256u / LANES) + lane / LANES;
  let isOurs = wanted < p.numRows;
  let n = min(wanted, p.numRows - 1u);
  let start = n * p.length;`;

/**
 * `rowSum(lane, value)` and `rowMax(lane, value)`: what the LANES invocations of a row come to, given to each of them, by a fixed tree.
 * All invocations of the workgroup must call them. Needs the constant LANES.
 */
export const rowFolds: WgslLibrary = {
  name: "rowFolds",
  code: (["Sum", "Max"] as const)
    .map(
      (kind) => `
fn row${kind}(lane: u32, value: f32) -> f32 {
  if (LANES == 1u) { return value; }
  workgroupBarrier();
  laneValues[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane % LANES < half) {
      let other = laneValues[lane + half];
      laneValues[lane] = ${kind === "Sum" ? "laneValues[lane] + other" : "larger(laneValues[lane], other)"};
    }
    workgroupBarrier();
  }
  return laneValues[lane - lane % LANES];
}`,
    )
    .join("\n"),
  requires: [bits, { name: "laneValues", code: "var<workgroup> laneValues: array<f32, 256>;" }],
};
