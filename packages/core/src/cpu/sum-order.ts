/**
 * @file The one order in which reductions add, in WebAssembly. sum-order-reference.ts is the same in plain JavaScript.
 *
 * A sum of n values: blocks of 4,096 consecutive values; in a block, virtual lane l of 16 starts at +0 and adds the values l, l + 16,
 * l + 32 ... of the block; then lane l takes lane l + 8, l + 4, l + 2, l + 1 (`l + other`); then the blocks are the leaves of the
 * balanced tree that splits a range of m at the largest power of two below m, left + right.
 * Lanes that have no value add +0, which changes no bit: a lane that started at +0 is never -0.
 */
import { defineFunction, type FunctionDefinition } from "./kernel.js";
import type { FunctionBuilder, Local, SimdOp } from "./wasm/assembler.js";

export const blockElements = 4_096;
export const numLanes = 16;
/** Rows of up to 4,096 * 2^levels elements. */
const maxTreeLevels = 18;

export type FoldKind = "sum" | "max" | "min";
export type LaneVectors = readonly [Local, Local, Local, Local];

export const vectorFold: Readonly<Record<FoldKind, SimdOp>> = { sum: "f32x4.add", max: "f32x4.max", min: "f32x4.min" };
export const scalarFold = { sum: "f32.add", max: "f32.max", min: "f32.min" } as const;
/** What a lane without values holds. */
export const foldIdentity: Readonly<Record<FoldKind, number>> = {
  sum: 0,
  max: Number.NEGATIVE_INFINITY,
  min: Number.POSITIVE_INFINITY,
};

/** Pushes the f32 that 16 lanes, in four vectors, come to. */
function emitLaneFold(f: FunctionBuilder, kind: FoldKind, lanes: LaneVectors): void {
  const fold = vectorFold[kind];
  const [a, b, c, d] = lanes;
  const rest = f.local("v128");
  f.get(a).get(c).op(fold).get(b).get(d).op(fold).op(fold).set(rest);
  f.get(rest).get(rest).get(rest).shuffle32([2, 3, 2, 3]).op(fold).tee(rest);
  f.extractF32(0).get(rest).extractF32(1).op(scalarFold[kind]);
}

/** Pushes a mask of the lanes of vector `vector` (elements 4 vector ...) that are below `count` elements. */
export function emitTailMask(f: FunctionBuilder, vector: number, count: Local): void {
  f.v128([4 * vector, 4 * vector + 1, 4 * vector + 2, 4 * vector + 3]);
  f.get(count).op("i32x4.splat", "i32x4.lt_s");
}

function defineBlockFold(kind: FoldKind): FunctionDefinition {
  const signature = { params: ["i32", "i32"], results: ["f32"] } as const;
  return defineFunction(`${kind}Block`, signature, (f, params) => {
    const [address, count] = params as [Local, Local];
    const lanes = f.locals("v128", 4) as [Local, Local, Local, Local];
    const i = f.local("i32");
    const end = f.local("i32");
    for (const lane of lanes) f.f32x4(foldIdentity[kind]).set(lane);
    f.get(count).i32(-numLanes).op("i32.and").set(end);
    f.forUp(
      i,
      () => f.get(end),
      numLanes,
      () => {
        for (const [v, lane] of lanes.entries())
          f.get(lane)
            .get(address)
            .mem("v128.load", 16 * v)
            .op(vectorFold[kind])
            .set(lane);
        f.get(address).i32(64).op("i32.add").set(address);
      },
    );
    f.get(count)
      .get(end)
      .op("i32.sub")
      .tee(count)
      .if(() => {
        for (const [v, lane] of lanes.entries()) {
          f.get(lane)
            .get(address)
            .mem("v128.load", 16 * v)
            .f32x4(foldIdentity[kind]);
          emitTailMask(f, v, count);
          f.op("v128.bitselect", vectorFold[kind]).set(lane);
        }
      });
    emitLaneFold(f, kind, lanes);
  });
}

/** (address, count <= 4,096) -> f32 of one block, by kind. */
export const blockFold: Readonly<Record<FoldKind, FunctionDefinition>> = {
  sum: defineBlockFold("sum"),
  max: defineBlockFold("max"),
  min: defineBlockFold("min"),
};

/** (address, count) -> the f32 sum of contiguous values of any number, in the order of this file. */
export const rowSum: FunctionDefinition = defineFunction(
  "rowSum",
  { params: ["i32", "i32"], results: ["f32"] },
  (f, params, context) => {
    const [address, count] = params as [Local, Local];
    const pushBlock = (pushCount: () => void) => {
      f.get(address);
      pushCount();
      f.call(context.indexOf(blockFold.sum));
    };
    const partials = f.locals("f32", maxTreeLevels);
    const [value, result] = f.locals("f32", 2) as [Local, Local];
    const block = f.local("i32");
    const isStarted = f.local("i32");
    f.get(count)
      .i32(blockElements)
      .op("i32.le_s")
      .if(() => {
        pushBlock(() => f.get(count));
        f.op("return");
      });
    // Partial sums wait on a binary counter: bit j of `block` says that partials[j] is full.
    const carry = (level: number): void => {
      const partial = partials[level];
      if (!partial) return;
      f.get(block)
        .i32(1 << level)
        .op("i32.and")
        .if(
          () => {
            f.get(partial).get(value).op("f32.add").set(value);
            carry(level + 1);
          },
          () => f.get(value).set(partial),
        );
    };
    f.block(() => {
      f.loop(() => {
        f.get(count).i32(0).op("i32.le_s").brIf(1);
        pushBlock(() => f.get(count).i32(blockElements).get(count).i32(blockElements).op("i32.lt_s", "select"));
        f.set(value);
        carry(0);
        f.get(block).i32(1).op("i32.add").set(block);
        f.get(address)
          .i32(4 * blockElements)
          .op("i32.add")
          .set(address);
        f.get(count).i32(blockElements).op("i32.sub").set(count).br(0);
      });
    });
    for (const [level, partial] of partials.entries()) {
      f.get(block)
        .i32(1 << level)
        .op("i32.and")
        .if(() => {
          f.get(isStarted)
            .ifValue(
              "f32",
              () => f.get(partial).get(result).op("f32.add"),
              () => f.get(partial),
            )
            .set(result);
          f.i32(1).set(isStarted);
        });
    }
    f.get(result);
  },
);

/** (address, count) -> the largest of contiguous values, NaN if there is one, -inf if there are none. */
export const rowMax: FunctionDefinition = blockFold.max;
