/**
 * @file The inner loops of matrix products: tiles of up to 4 rows by 8 columns that stay in registers while k ascends.
 *
 * Law: one f32 accumulator an element over ascending k, from +0. A later block of k loads the element and goes on; nothing is ever
 * summed apart. A tile at an edge computes columns that nobody stores, and never a k that does not exist.
 * Node 20 keeps all loads of a loop body in registers at once: 4 x 8 uses 15 of 15, so there is no unrolling over k (a wider or an
 * unrolled tile spills: 25 to 37 GFLOPS instead of 42 to 45; see docs/numerics.md).
 */
import { type BuildContext, defineFunction, type FunctionDefinition } from "../kernel.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import {
  add,
  and,
  assign,
  define,
  eq,
  forRange,
  type Int,
  increase,
  loadVector,
  lt,
  mul,
  push,
  shiftRight,
  storeVector,
  sub,
  whileTrue,
  words,
} from "../wasm/integer.js";
import { storePart } from "./row-loop.js";

/** Rows and columns of a tile. */
export const tileRows = 4;
export const tileColumns = 8;
const vectors = tileColumns / 4;

/**
 * Parameters of a block function: C[rows x columns] from `a` and `b`, all strides in bytes.
 * Element (i, k) of a is at a + (i / 4) * aPanel + (i % 4) * 4 + k * aStep; element (k, j) of b at b + (j / 8) * bPanel + (j % 8) * 4 + k * bStep:
 * packed panels, or the matrix itself where its rows (columns) have stride 1. bStep is not 0.
 */
const blockParams = [
  "rows",
  "columns",
  "depth",
  "a",
  "aStep",
  "aPanel",
  "b",
  "bStep",
  "bPanel",
  "c",
  "cRow",
  /** 0: start from +0. Else go on from what C holds. */
  "resume",
  /** Address of a row to add at the end, 0 for none. */
  "bias",
] as const;
export type BlockParam = (typeof blockParams)[number];
export type BlockLocals = Readonly<Record<BlockParam, Local>>;

const signature = { params: blockParams.map(() => "i32" as const), results: [] };

function namedParams(params: readonly Local[]): BlockLocals {
  return Object.fromEntries(blockParams.map((name, i) => [name, params[i]])) as BlockLocals;
}

interface Tile {
  readonly f: FunctionBuilder;
  /** accumulators[row][vector] */
  readonly accumulators: readonly (readonly Local[])[];
  readonly fused: boolean;
}

/** accumulator[r][v] = accumulator[r][v] + a[r] * b[v] for k = 0..depth-1, at addresses that this moves. */
function emitDepthLoop(tile: Tile, p: BlockLocals, at: { a: Local; b: Local }): void {
  const { f, accumulators, fused } = tile;
  const bEnd = define(f, add(at.b, mul(p.bStep, p.depth)));
  const bVectors = f.locals("v128", vectors);
  const aSplat = f.local("v128");
  push(f, p.depth).if(() => {
    f.loop(() => {
      bVectors.forEach((b, v) => void loadVector(f, b, at.b, 16 * v));
      accumulators.forEach((row, r) => {
        push(f, at.a).mem("v128.load32_splat", 4 * r);
        f.set(aSplat);
        row.forEach((acc, v) => {
          const b = bVectors[v]!;
          if (fused) f.get(aSplat).get(b).get(acc).op("f32x4.relaxed_madd").set(acc);
          else f.get(aSplat).get(b).op("f32x4.mul").get(acc).op("f32x4.add").set(acc);
        });
      });
      increase(f, at.a, p.aStep);
      push(f, add(at.b, p.bStep)).tee(at.b).get(bEnd).op("i32.ne").brIf(0);
    });
  });
}

/** Adds the bias row, then stores `columns` (1..8) of each row. */
function emitStore(tile: Tile, c: Local, p: BlockLocals, column: { index: Local; left: Local }): void {
  const { f, accumulators } = tile;
  const bias = f.locals("v128", vectors);
  push(f, p.bias).if(() => {
    bias.forEach((vector, v) => {
      loadVector(f, vector, add(p.bias, words(column.index)), 16 * v);
      for (const row of accumulators) f.get(row[v]!).get(vector).op("f32x4.add").set(row[v]!);
    });
  });
  push(f, lt(column.left, tileColumns)).if(
    () => {
      for (const row of accumulators) {
        emitPartialRow(f, row, c, column.left);
        increase(f, c, p.cRow);
      }
    },
    () => {
      for (const row of accumulators) {
        row.forEach((acc, v) => void storeVector(f, acc, c, 16 * v));
        increase(f, c, p.cRow);
      }
    },
  );
}

/** Stores the first `count` (1..7) floats of a row of two vectors. */
function emitPartialRow(f: FunctionBuilder, row: readonly Local[], c: Local, count: Local): void {
  const at = define(f, c);
  const [low, high] = row as [Local, Local];
  push(f, and(count, 4)).if(() => {
    f.get(at).get(low).mem("v128.store");
    increase(f, at, 16);
    f.get(high).set(low);
  });
  storePart(f, low, at, count);
}

/** One tile: from C or +0, over the depth, to C. */
function emitTile(
  tile: Tile,
  p: BlockLocals,
  at: { a: Int; b: Int; c: Int; column: { index: Local; left: Local } },
): void {
  const { f, accumulators } = tile;
  const c = define(f, at.c);
  push(f, p.resume).if(
    () => {
      accumulators.forEach((row, r) => {
        row.forEach((acc, v) => void loadVector(f, acc, add(c, mul(p.cRow, r)), 16 * v));
      });
    },
    () => {
      for (const acc of accumulators.flat()) f.f32x4(0).set(acc);
    },
  );
  emitDepthLoop(tile, p, { a: define(f, at.a), b: define(f, at.b) });
  emitStore(tile, c, p, at.column);
}

/** The block function for a multiple of `height` rows: panels of b outside, panels of a inside. */
function blockOfHeight(height: number): FunctionDefinition {
  return defineFunction(`gemmBlock${height}`, signature, (f, params, { numericClass }) => {
    const p = namedParams(params);
    const accumulators = Array.from({ length: height }, () => f.locals("v128", vectors));
    const tile: Tile = { f, accumulators, fused: numericClass === "fused" };
    const b = define(f, p.b);
    const left = f.local("i32");
    forRange(f, { from: 0, to: p.columns, step: tileColumns }, (index) => {
      assign(f, left, sub(p.columns, index));
      const a = define(f, p.a);
      const c = define(f, add(p.c, words(index)));
      const rowsLeft = define(f, p.rows);
      whileTrue(f, lt(0, rowsLeft), () => {
        emitTile(tile, p, { a, b, c, column: { index, left } });
        increase(f, a, p.aPanel);
        increase(f, c, mul(p.cRow, height));
        increase(f, rowsLeft, -height);
      });
      increase(f, b, p.bPanel);
    });
  });
}

const heights = [1, 2, 3, tileRows].map(blockOfHeight);

/** As described at `blockParams`, for any number of rows and columns, depth 0 included. */
const gemmBlock: FunctionDefinition = defineFunction("gemmBlock", signature, (f, params, context) => {
  const p = namedParams(params);
  const call = (height: number, values: Partial<Record<BlockParam, Int>>): void =>
    callWithNames(f, { ...p, ...values }, context.indexOf(heights[height - 1]!));
  const whole = define(f, and(p.rows, -tileRows));
  push(f, whole).if(() => call(tileRows, { rows: whole }));
  const rest = define(f, sub(p.rows, whole));
  const a = define(f, add(p.a, mul(p.aPanel, shiftRight(whole, 2))));
  const c = define(f, add(p.c, mul(p.cRow, whole)));
  for (let height = 1; height < tileRows; height++) {
    push(f, eq(rest, height)).if(() => call(height, { rows: height, a, c }));
  }
});

function callWithNames(f: FunctionBuilder, values: Readonly<Record<BlockParam, Int>>, functionIndex: number): void {
  for (const name of blockParams) push(f, values[name]);
  f.call(functionIndex);
}

/** Emits a call of `gemmBlock`. */
export function callGemmBlock(
  f: FunctionBuilder,
  context: BuildContext,
  values: Readonly<Record<BlockParam, Int>>,
): void {
  callWithNames(f, values, context.indexOf(gemmBlock));
}
