/**
 * @file Walks the rows of strided operands inside a kernel: up to `maxOuterDims` dims outside a row, every item one row.
 *
 * Args, after the kernel's own: numOuterDims, then for each outer dim, innermost first: its length, then the stride in bytes of each
 * operand. The position in each dim is counted in the args block of the thread, behind the arguments.
 */
import { BackendError } from "../../errors.js";
import { argsBytes } from "../memory-layout.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";

const maxOuterDims = 12;

export interface RowWalk {
  readonly args: Local;
  /** Byte offset of numOuterDims in the args block. */
  readonly offset: number;
  /** Addresses of the operands' rows: moved from row to row. */
  readonly pointers: readonly Local[];
  readonly begin: Local;
  readonly end: Local;
}

/** Emits `body` for the rows [begin, end); `pointers` must hold the addresses of row 0. */
export function emitRowWalk(f: FunctionBuilder, walk: RowWalk, body: () => void): void {
  const { args, offset, pointers, begin, end } = walk;
  const dimBytes = 4 * (1 + pointers.length);
  const [dim, entry, counter, index, rest, numDims] = f.locals("i32", 6) as [Local, Local, Local, Local, Local, Local];
  const seek = () => {
    f.get(args)
      .i32(offset + 4)
      .op("i32.add")
      .set(entry);
    f.get(args).i32(argsBytes).op("i32.add").set(counter);
  };
  const nextDim = () => {
    f.get(entry).i32(dimBytes).op("i32.add").set(entry);
    f.get(counter).i32(4).op("i32.add").set(counter);
  };
  const move = (times: Local | undefined) => {
    for (const [i, pointer] of pointers.entries()) {
      f.get(pointer)
        .get(entry)
        .mem("i32.load", 4 + 4 * i);
      if (times) f.get(times).op("i32.mul");
      f.op("i32.add").set(pointer);
    }
  };
  f.get(args).mem("i32.load", offset).set(numDims);
  // Position of row `begin`.
  seek();
  f.get(begin).set(rest);
  f.i32(0).set(dim);
  f.forUp(
    dim,
    () => f.get(numDims),
    1,
    () => {
      f.get(rest).get(entry).mem("i32.load").op("i32.rem_u").set(index);
      f.get(rest).get(entry).mem("i32.load").op("i32.div_u").set(rest);
      f.get(counter).get(index).mem("i32.store");
      move(index);
      nextDim();
    },
  );
  f.forUp(
    begin,
    () => f.get(end),
    1,
    () => {
      body();
      seek();
      f.i32(0).set(dim);
      f.block(() => {
        f.loop(() => {
          f.get(dim).get(numDims).op("i32.ge_s").brIf(1);
          move(undefined);
          f.get(counter)
            .mem("i32.load")
            .i32(1)
            .op("i32.add")
            .tee(index)
            .get(entry)
            .mem("i32.load")
            .op("i32.lt_u")
            .if(() => {
              f.get(counter).get(index).mem("i32.store").br(2);
            });
          f.i32(0).get(index).op("i32.sub").set(index);
          move(index);
          f.get(counter).i32(0).mem("i32.store");
          nextDim();
          f.get(dim).i32(1).op("i32.add").set(dim).br(0);
        });
      });
    },
  );
}

/** The words that `emitRowWalk` reads. `shape` and `strides` (elements) are the outer dims, outermost first. */
export function rowWalkWords(shape: readonly number[], strides: readonly (readonly number[])[]): number[] {
  if (shape.length > maxOuterDims) {
    throw new BackendError(
      `copy: ${shape.length} dims remain outside a row; at most ${maxOuterDims} are supported. Make the tensor contiguous in steps.`,
      { numDims: shape.length, maxOuterDims },
    );
  }
  const words = [shape.length];
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    words.push(shape[dim] ?? 1);
    for (const own of strides) words.push(4 * (own[dim] ?? 0));
  }
  return words;
}
