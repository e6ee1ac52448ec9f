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

/** LANES, and SUBGROUP: how many neighbours exchange values in registers, 0 where that gains nothing. */
export type LaneConstants = { readonly LANES: number; readonly SUBGROUP: number };

/** The launch of one row a segment of LANES invocations. */
export function rowLaunch(
  numRows: number,
  length: number,
  subgroupSize = 0,
): { readonly groups: number; readonly constants: LaneConstants } {
  const lanes = lanesOfRow(length);
  const constants = { LANES: lanes, SUBGROUP: lanes === 1 ? 0 : subgroupSize };
  return { groups: Math.ceil((numRows * lanes) / workgroupSize), constants };
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

interface Fold {
  readonly type: "f32" | "i32";
  /** Of `first`, whose lane is the lower one, and `second`. */
  readonly combine: (first: string, second: string) => string;
  /** Lanes from `count` on hold nothing. Default: all lanes hold a value. */
  readonly isGuarded?: boolean;
  /** Array in workgroup memory, of one element an invocation. */
  readonly memory: string;
}

/**
 * Statements that fold `value` over LANES neighbours into `total`, in the order of the tree that halves distances: lane l takes lane l + half. Distances
 * of SUBGROUP and more are gone through by each invocation for itself, on what all laid down in workgroup memory; shorter ones by
 * exchange of registers. SUBGROUP neighbours must be in one subgroup, place by place: device/check-subgroups.ts proves it.
 */
export function subgroupFold(
  { LANES: lanes = 1, SUBGROUP: subgroup = 1 }: Readonly<Record<string, number>>,
  { type, combine, isGuarded = false, memory }: Fold,
): string {
  const numParts = Math.max(1, lanes / subgroup);
  const ifThere = (place: string, statement: string): string =>
    isGuarded ? `if (${place} < count) { ${statement} }` : statement;
  const lines: string[] = [];
  if (numParts === 1) lines.push("var total = value;");
  else {
    const part = (j: number): string => `part${j}`;
    lines.push(`workgroupBarrier(); ${memory}[lane] = value; workgroupBarrier();`);
    lines.push(`let place = lane % ${subgroup}u; let row = lane - lane % ${lanes}u + place;`);
    for (let j = 0; j < numParts; j++) lines.push(`var ${part(j)} = ${memory}[row + ${j * subgroup}u];`);
    for (let half = numParts / 2; half >= 1; half /= 2) {
      for (let j = 0; j < half; j++) {
        const other = `place + ${(j + half) * subgroup}u`;
        lines.push(ifThere(other, `${part(j)} = ${combine(part(j), part(j + half))};`));
      }
    }
    lines.push(`var total = ${part(0)};`);
  }
  for (let half = Math.min(lanes, subgroup) / 2; half >= 1; half /= 2) {
    const isUpper = `(lane & ${half}u) != 0u`;
    const folded = combine(`select(total, other, ${isUpper})`, `select(other, total, ${isUpper})`);
    const step = ifThere(`lane % ${Math.min(lanes, subgroup)}u + ${half}u`, `total = ${folded};`);
    lines.push(`{ let other: ${type} = subgroupShuffleXor(total, ${half}u); ${step} }`);
  }
  return lines.map((line) => `  ${line}`).join("\n");
}

const rowCombine = {
  Sum: (first: string, second: string) => `${first} + ${second}`,
  Max: (first: string, second: string) => `larger(${first}, ${second})`,
} as const;
const kinds = ["Sum", "Max"] as const;

/**
 * `rowSum(lane, value)` and `rowMax(lane, value)`: what the LANES invocations of a row come to, given to each of them, by a fixed tree.
 * All invocations of the workgroup must call them. Needs the constant LANES.
 */
export const rowFolds: WgslLibrary = {
  name: "rowFolds",
  code: kinds
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
      laneValues[lane] = ${rowCombine[kind]("laneValues[lane]", "other")};
    }
    workgroupBarrier();
  }
  return laneValues[lane - lane % LANES];
}`,
    )
    .join("\n"),
  subgroupCode: (constants) =>
    kinds
      .map((kind) => {
        const fold = subgroupFold(constants, { type: "f32", combine: rowCombine[kind], memory: "laneValues" });
        return `fn row${kind}(lane: u32, value: f32) -> f32 {\n${fold}\n  return total;\n}`;
      })
      .join("\n"),
  requires: [bits, { name: "laneValues", code: "var<workgroup> laneValues: array<f32, 256>;" }],
};
