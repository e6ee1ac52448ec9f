/**
 * @file Index of the first largest or smallest value of [outer, K, inner] over K, of floats (a NaN counts as the extreme) and integers.
 *
 * Blocks and lanes are those of reduce.ts. A block leaves the place of its extreme; the places of several blocks are compared in the
 * same way, by the values there. Values are compared as keys, so that the order of comparisons does not matter.
 */
import type { TensorView } from "@lockstep/core";
import type { ArgReduceKind, AxisView, KernelTable } from "@lockstep/core/backend";
import type { KernelHost, WgslKernel } from "../launch/kernel.js";
import { orderKeys } from "../math/order.js";
import { foldParams, foldPlace, foldPlan, laneTree } from "./reduce.js";

type NumberType = "f32" | "i32";

/** The larger key is the better one. */
const keyOf: Readonly<Record<NumberType, Readonly<Record<ArgReduceKind, string>>>> = {
  f32: { argMax: "floatKey(word)", argMin: "descendingFloatKey(word)" },
  i32: { argMax: "integerKey(word)", argMin: "descendingIntegerKey(word)" },
};

/** `isLater`: the axis is a list of `places` along another axis, of p.fullLength elements. */
function argKernel(type: NumberType, kind: ArgReduceKind, isLater: boolean) {
  const place = isLater ? "places_at(base + k * p.inner)" : "i32(first + k)";
  const source = isLater ? "x_at((o * p.fullLength + bitcast<u32>(place)) * p.inner + i)" : "x_at(base + k * p.inner)";
  return {
    name: `${kind}_${type}${isLater ? "_places" : ""}`,
    operands: { x: "read i32", places: "read i32", out: "write i32" },
    params: { ...foldParams, fullLength: "u32" },
    uses: [orderKeys],
    declarations: `
var<workgroup> keys: array<u32, 256>;
var<workgroup> found: array<i32, 256>;
fn keyOf(word: i32) -> u32 { return ${keyOf[type][kind]}; }`,
    body: `${foldPlace}
  var bestKey = 0u;
  var best = 2147483647;
  for (var k = l; k < count; k += LANES) {
    let place = ${place};
    let key = keyOf(${source});
    if (key > bestKey || best == 2147483647) { bestKey = key; best = place; }
  }
  keys[lane] = bestKey;
  found[lane] = best;${laneTree(`
    if (keys[other] > keys[lane] || (keys[other] == keys[lane] && found[other] < found[lane])) {
      keys[lane] = keys[other];
      found[lane] = found[other];
    }`)}
  if (isOurs && l == 0u) { out_put(slot, found[lane]); }`,
  } as const satisfies WgslKernel;
}

const kernelsOf = (type: NumberType, kind: ArgReduceKind) => [
  argKernel(type, kind, false),
  argKernel(type, kind, true),
];
const kernels = {
  f32: { argMax: kernelsOf("f32", "argMax"), argMin: kernelsOf("f32", "argMin") },
  i32: { argMax: kernelsOf("i32", "argMax"), argMin: kernelsOf("i32", "argMin") },
} as const;

interface ArgFold {
  readonly type: NumberType;
  readonly kind: ArgReduceKind;
  readonly axisView: AxisView;
}

/** out [outer, inner] = the first place of the extreme of x [outer, K, inner]. */
export function argFoldAxis(host: KernelHost, fold: ArgFold, x: TensorView, out: TensorView): void {
  const { outer, inner, axisLength: fullLength } = fold.axisView;
  if (outer * inner * fullLength === 0) return;
  const pass = (places: TensorView | undefined, axisLength: number): void => {
    const { constants, blockLength, numBlocks, groups } = foldPlan({ outer, axisLength, inner });
    const params = { outer, axisLength, inner, blockLength, numBlocks, fullLength };
    const launch = (to: TensorView): void => {
      const kernel = kernels[fold.type][fold.kind][places === undefined ? 0 : 1]!;
      host.launch(kernel, { x, places: places ?? x, out: to }, params, { groups, constants });
    };
    if (numBlocks === 1) launch(out);
    else {
      host.withTemporary([outer * numBlocks * inner], "i32", (partials) => {
        launch(partials);
        pass(partials, numBlocks);
      });
    }
  };
  pass(undefined, fullLength);
}

export function argReduceRows(host: KernelHost) {
  return {
    argReduce(kind: ArgReduceKind, x: TensorView, axisView: AxisView, out: TensorView): void {
      argFoldAxis(host, { type: "f32", kind, axisView }, x, out);
    },
  } satisfies Partial<KernelTable>;
}
