/**
 * @file Sums, products, maxima and minima of [outer, K, inner] over K, of floats and of integers.
 *
 * A block of K is shared by LANES invocations: lane l takes elements l, l + LANES, ..., then the lanes are folded by a fixed tree. An axis of
 * more than one block leaves partials [outer, numBlocks, inner], which are reduced again. Neighbouring invocations read neighbouring
 * elements: lanes of a row where inner = 1, columns otherwise.
 */
import type { TensorView } from "@lockstep/core";
import type { AxisView, IntegerReduceKind, KernelTable, ReduceKind } from "@lockstep/core/backend";
import type { KernelHost, WgslKernel, WgslLibrary } from "../launch/kernel.js";
import { bits } from "../math/bits.js";
import { lanesOfRow, subgroupFold } from "./lane-grid.js";

type NumberType = "f32" | "i32";
type FoldKind = Exclude<IntegerReduceKind, "argMax" | "argMin">;

/** Elements of a block: of a row (contiguous), and of a column. */
const blockOfRow = 8_192;
const blockOfColumn = 512;
const maxUnsplit = 2;

const combine: Readonly<Record<NumberType, Partial<Record<FoldKind, string>>>> = {
  f32: { sum: "a + b", max: "larger(a, b)", min: "smaller(a, b)" },
  i32: { sum: "a + b", prod: "a * b", max: "max(a, b)", min: "min(a, b)" },
};
/** Of no elements. */
const identity: Readonly<Record<NumberType, Partial<Record<FoldKind, string>>>> = {
  f32: { sum: "0.0", max: "-inf()", min: "inf()" },
  i32: { sum: "0", prod: "1", max: "(-2147483647 - 1)", min: "2147483647" },
};

/**
 * How an axis is shared: `rows` when inner = 1. Constants of the launch: LANES, and IN_ROWS as 1 or 0.
 * Elements of a block, blocks of the axis, workgroups.
 */
export interface FoldPlan {
  readonly constants: { readonly LANES: number; readonly IN_ROWS: number };
  readonly blockLength: number;
  readonly numBlocks: number;
  readonly groups: number;
}

export function foldPlan({ outer, axisLength, inner }: AxisView): FoldPlan {
  const inRows = inner === 1;
  const ownBlock = inRows ? blockOfRow : blockOfColumn;
  const blockLength = axisLength > maxUnsplit * ownBlock ? ownBlock : Math.max(1, axisLength);
  const numBlocks = Math.max(1, Math.ceil(axisLength / blockLength));
  const lanes = inRows ? lanesOfRow(blockLength) : blockLength <= 16 ? 1 : 8;
  const groups = Math.ceil((outer * numBlocks * inner * lanes) / 256);
  return { constants: { LANES: lanes, IN_ROWS: inRows ? 1 : 0 }, blockLength, numBlocks, groups };
}

/**
 * Where an invocation works: output `slot` of [outer, numBlocks, inner] (clamped, `isOurs` says whether it exists), its lane `l`, and the
 * `count` elements of its block, the first at `base`, the others `inner` apart. Uses p.outer, p.axisLength, p.inner, p.blockLength,
 * p.numBlocks.
 */
export const foldPlace = `
  let columns = 256u / LANES;
  let l = select(lane / columns, lane % LANES, IN_ROWS == 1u);
  let wanted = group * columns + select(lane % columns, lane / LANES, IN_ROWS == 1u);
  let numSlots = p.outer * p.numBlocks * p.inner;
  let isOurs = wanted < numSlots;
  let slot = min(wanted, numSlots - 1u);
  let i = slot % p.inner;
  let block = (slot / p.inner) % p.numBlocks;
  let o = slot / (p.inner * p.numBlocks);
  let first = block * p.blockLength;
  let count = min(p.blockLength, p.axisLength - first);
  let base = (o * p.axisLength + first) * p.inner + i;`;

/** Runs `step` for halving distances: lane l < half takes lane l + half, which lies `distance` invocations on. */
export function laneTree(step: string): string {
  return `
  let apart = select(256u / LANES, 1u, IN_ROWS == 1u);
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (l < half) { let other = lane + half * apart; ${step} }
  }`;
}

export const foldParams = {
  outer: "u32",
  axisLength: "u32",
  inner: "u32",
  blockLength: "u32",
  numBlocks: "u32",
} as const;

/** `overLanes(lane, l, count, value)`: the fold over the lanes of a block, for its lane 0. Lanes from `count` on hold nothing. */
function laneFold(type: NumberType, kind: FoldKind): WgslLibrary {
  const head = `
var<workgroup> parts: array<${type}, 256>;
fn folded(a: ${type}, b: ${type}) -> ${type} { return ${combine[type][kind]!}; }
fn overLanes(lane: u32, l: u32, count: u32, value: ${type}) -> ${type} {`;
  const fold = { type, combine: (a: string, b: string) => `folded(${a}, ${b})`, isGuarded: true, memory: "parts" };
  return {
    name: "laneFold",
    requires: [bits],
    code: `${head}
  parts[lane] = value;${laneTree("if (l + half < count) { parts[lane] = folded(parts[lane], parts[other]); }")}
  return parts[lane];
}`,
    subgroupCode: (constants) => `${head}\n${subgroupFold(constants, fold)}\n  return total;\n}`,
  };
}

function foldKernel(type: NumberType, kind: FoldKind) {
  return {
    name: `reduce_${kind}_${type}`,
    operands: { x: `read ${type}`, out: `write ${type}` },
    params: foldParams,
    uses: [laneFold(type, kind)],
    body: `${foldPlace}
  var total = ${identity[type][kind]!};
  if (l < count) {
    ${kind === "sum" ? "" : "total = x_at(base + l * p.inner);"}
    for (var k = ${kind === "sum" ? "l" : "l + LANES"}; k < count; k += LANES) { total = folded(total, x_at(base + k * p.inner)); }
  }
  total = overLanes(lane, l, count, total);
  if (isOurs && l == 0u) { out_put(slot, total); }`,
  } satisfies WgslKernel;
}

const kinds: readonly FoldKind[] = ["sum", "max", "min", "prod"];
const kernelsOf = (type: NumberType) =>
  Object.fromEntries(
    kinds.filter((kind) => combine[type][kind] !== undefined).map((kind) => [kind, foldKernel(type, kind)]),
  ) as Partial<Record<FoldKind, ReturnType<typeof foldKernel>>>;
const kernels = { f32: kernelsOf("f32"), i32: kernelsOf("i32") } as const;

/** out [outer, inner] = x [outer, K, inner] folded over K; both contiguous. */
export function foldAxis(
  host: KernelHost,
  fold: { readonly type: NumberType; readonly kind: FoldKind; readonly axisView: AxisView },
  { x, out }: { readonly x: TensorView; readonly out: TensorView },
): void {
  const { outer, axisLength, inner } = fold.axisView;
  if (outer * inner === 0) return;
  const { constants, blockLength, numBlocks, groups } = foldPlan(fold.axisView);
  // Lanes of a column are not neighbours.
  const isSubgroups = constants.IN_ROWS === 1 && constants.LANES > 1;
  const withSubgroups = { ...constants, SUBGROUP: isSubgroups ? host.choices.subgroupSize : 0 };
  const launch = (to: TensorView): void => {
    const params = { outer, axisLength, inner, blockLength, numBlocks };
    host.launch(kernels[fold.type][fold.kind]!, { x, out: to }, params, { groups, constants: withSubgroups });
  };
  if (numBlocks === 1) {
    launch(out);
    return;
  }
  host.withTemporary([outer * numBlocks * inner], fold.type, (partials) => {
    launch(partials);
    foldAxis(host, { ...fold, axisView: { outer, axisLength: numBlocks, inner } }, { x: partials, out });
  });
}

export function reduceRows(host: KernelHost) {
  return {
    reduce(kind: ReduceKind, x: TensorView, axisView: AxisView, out: TensorView): void {
      foldAxis(host, { type: "f32", kind, axisView }, { x, out });
    },
  } satisfies Partial<KernelTable>;
}
