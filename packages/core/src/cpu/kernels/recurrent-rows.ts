/**
 * @file What the two recurrent kernels share: blocks of rows, lengths, and vectors of hidden units with an exact end.
 *
 * An item is a panel of 4 rows of the batch; a thread takes up to 32 rows through all steps together, so that a panel of the weight
 * serves them all from the first cache. Rows never meet: the bits of a row do not depend on who its neighbours are.
 * Legend: B batch, T sequence, H hidden units, G gates.
 */
import { defineFunction, type FunctionDefinition, type KernelBody } from "../kernel.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import {
  add,
  assign,
  define,
  forRange,
  increase,
  loadInt,
  lt,
  min,
  mul,
  push,
  sub,
  whileTrue,
  words,
} from "../wasm/integer.js";
import { tileRows } from "./gemm-tile.js";
import { mapRow, storePart } from "./row-loop.js";

/** Rows that go through the steps together. */
export const blockRows = 32;

/** (to, count): zeros, and nothing past the end. */
export const clearRow: FunctionDefinition = defineFunction(
  "clearRow",
  { params: ["i32", "i32"], results: [] },
  (f, params) => {
    const [to, count] = params as [Local, Local];
    mapRow(f, { to, count }, () => void f.f32x4(0));
  },
);

export interface RowBlock {
  /** First row of the block, and how many it has. */
  readonly first: Local;
  readonly rows: Local;
}

/** Cuts items [begin, end) into blocks of at most 32 rows. */
export function forBlocks(
  { f, begin, end }: Pick<KernelBody<Record<string, "i32">>, "f" | "begin" | "end">,
  batch: Local,
  body: (block: RowBlock) => void,
): void {
  const block = { first: f.local("i32"), rows: f.local("i32") };
  const panels = f.local("i32");
  whileTrue(f, lt(begin, end), () => {
    assign(f, panels, sub(end, begin));
    assign(f, panels, min(panels, blockRows / tileRows));
    assign(f, block.first, mul(begin, tileRows));
    assign(f, block.rows, sub(batch, block.first));
    assign(f, panels, mul(panels, tileRows));
    assign(f, block.rows, min(block.rows, panels));
    body(block);
    increase(f, begin, blockRows / tileRows);
  });
}

/** Sets `length` to the number of steps of row `first + r`. */
export function loadLength(f: FunctionBuilder, lengths: Local, row: Local, length: Local): void {
  assign(f, length, loadInt(add(lengths, words(row))));
}

/** Calls the body with the byte offset of each vector of H units and a store that ends exactly; `count` is H. */
export function forUnits(
  f: FunctionBuilder,
  count: Local,
  body: (offset: Local, store: (address: Local, vector: Local) => void) => void,
): void {
  const left = define(f, count);
  const address = f.local("i32");
  const part = f.local("v128");
  forRange(f, { from: 0, to: words(count), step: 16 }, (offset) => {
    body(offset, (base, vector) => {
      assign(f, address, add(base, offset));
      push(f, lt(left, 4)).if(
        () => {
          f.get(vector).set(part);
          storePart(f, part, address, left);
        },
        () => void f.get(address).get(vector).mem("v128.store"),
      );
    });
    increase(f, left, -4);
  });
}
