/**
 * @file Walking the last dim of a row, four floats at a time, with an exact end.
 *
 * Lanes past the end are computed from what happens to lie there and never stored, unless the row is scratch memory.
 */
import { defineFunction, type FunctionDefinition } from "../kernel.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import {
  add,
  and,
  assign,
  define,
  forRange,
  type Int,
  loadVector,
  lt,
  push,
  storeVector,
  sub,
  words,
} from "../wasm/integer.js";

/** Bytes of a row of scratch memory for this many floats and what may be written past them. */
export function scratchRowBytes(count: number): number {
  return Math.ceil((count + 16) / 16) * 64;
}

/** Calls the body with byte offsets 0, 16, ... below 4 * count: whole vectors, the last one perhaps past the end. */
export function forVectors(f: FunctionBuilder, count: Int, body: (offset: Local) => void): void {
  forRange(f, { from: 0, to: words(count), step: 16 }, body);
}

/** Stores the first `count` (0..3) floats of a vector; it and the address are changed. */
export function storePart(f: FunctionBuilder, vector: Local, address: Local, count: Int): void {
  push(f, and(count, 2)).if(() => {
    f.get(address).get(vector).extractF32(0).mem("f32.store");
    f.get(address).get(vector).extractF32(1).mem("f32.store", 4);
    assign(f, address, add(address, 8));
    f.get(vector).get(vector).shuffle32([2, 3, 2, 3]).set(vector);
  });
  push(f, and(count, 1)).if(() => void f.get(address).get(vector).extractF32(0).mem("f32.store"));
}

/** to[0..count) = what `vectorAt` pushes for each byte offset. Nothing past the end is written. */
export function mapRow(f: FunctionBuilder, row: { to: Int; count: Int }, vectorAt: (offset: Local) => void): void {
  const vector = f.local("v128");
  const count = define(f, row.count);
  const offset = define(f, 0);
  const address = f.local("i32");
  // One body for whole and partial vectors: it may be long.
  push(f, count).if(() => {
    f.loop(() => {
      vectorAt(offset);
      f.set(vector);
      push(f, lt(count, 4)).if(
        () => {
          assign(f, address, add(row.to, offset));
          storePart(f, vector, address, count);
        },
        () => void storeVector(f, vector, add(row.to, offset)),
      );
      assign(f, offset, add(offset, 16));
      push(f, sub(count, 4)).tee(count).i32(0).op("i32.gt_s").brIf(0);
    });
  });
}

/** (from, to, count): copies floats, exactly. */
export const copyRow: FunctionDefinition = defineFunction(
  "copyRow",
  { params: ["i32", "i32", "i32"], results: [] },
  (f, params) => {
    const [from, to, count] = params as [Local, Local, Local];
    const vector = f.local("v128");
    mapRow(f, { to, count }, (offset) => {
      loadVector(f, vector, add(from, offset));
      f.get(vector);
    });
  },
);

/** (to, count): zeros, up to three floats past the end too. */
export const clearScratchRow: FunctionDefinition = defineFunction(
  "clearScratchRow",
  { params: ["i32", "i32"], results: [] },
  (f, params) => {
    const [to, count] = params as [Local, Local];
    forVectors(f, count, (offset) => void push(f, add(to, offset)).f32x4(0).mem("v128.store"));
  },
);
