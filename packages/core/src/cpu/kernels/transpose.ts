/** @file Copies whose source runs along another dim than their destination, in blocks of 4 x 4 elements. */

import { numElements } from "../../backend/strided.js";
import { defineKernel, type KernelHost } from "../kernel.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";

/** Rows of dst an item covers: a cache line of src. */
const itemRows = 16;
/** Fewer elements a matrix are not worth a launch each. */
const minElements = 256;
const maxLaunches = 256;

/**
 * dst[r, c] = src[r, c] with src of stride 1 over r and dst of stride 1 over c. Strides in bytes: of src over c, of dst over r.
 * One item is 16 rows of dst.
 */
export const transposeKernel = defineKernel(
  "transpose",
  { src: "i32", dst: "i32", rows: "i32", columns: "i32", srcStride: "i32", dstStride: "i32" },
  ({ f, begin, end, arg }) => {
    const [src, dst, rows, columns] = [arg("src"), arg("dst"), arg("rows"), arg("columns")];
    const [srcStride, dstStride] = [arg("srcStride"), arg("dstStride")];
    const [r, rowEnd, c, blockColumns, from, to] = f.locals("i32", 6) as Local[] as [
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const vectors = f.locals("v128", 8);
    const seek = () => {
      f.get(src).get(r).i32(2).op("i32.shl", "i32.add").get(c).get(srcStride).op("i32.mul", "i32.add").set(from);
      f.get(dst).get(c).i32(2).op("i32.shl", "i32.add").get(r).get(dstStride).op("i32.mul", "i32.add").set(to);
    };
    const copyBlock = () => {
      seek();
      f.get(rowEnd)
        .get(r)
        .op("i32.sub")
        .i32(4)
        .op("i32.ge_s")
        .if(
          () => emitBlock(f, { from, to, srcStride, dstStride }, vectors),
          () => emitCells(f, { r, rowEnd, c, columns: 4, seek, from, to, srcStride }),
        );
    };
    f.get(columns).i32(-4).op("i32.and").set(blockColumns);
    f.forUp(
      begin,
      () => f.get(end),
      1,
      () => {
        const first = f.local("i32");
        f.get(begin).i32(itemRows).op("i32.mul").tee(first).i32(itemRows).op("i32.add").tee(rowEnd).get(rows);
        f.get(rowEnd).get(rows).op("i32.lt_s", "select").set(rowEnd);
        f.i32(0).set(c);
        f.forUp(
          c,
          () => f.get(blockColumns),
          4,
          () => {
            f.get(first).set(r);
            f.forUp(r, () => f.get(rowEnd), 4, copyBlock);
          },
        );
        f.forUp(
          c,
          () => f.get(columns),
          1,
          () => {
            f.get(first).set(r);
            emitCells(f, { r, rowEnd, c, columns: 1, seek, from, to, srcStride });
          },
        );
      },
    );
  },
);

interface BlockPlace {
  readonly from: Local;
  readonly to: Local;
  readonly srcStride: Local;
  readonly dstStride: Local;
}

function emitBlock(
  f: FunctionBuilder,
  { from, to, srcStride, dstStride }: BlockPlace,
  vectors: readonly Local[],
): void {
  const [a, b, c, d, p, q, s, t] = vectors as Local[] as [Local, Local, Local, Local, Local, Local, Local, Local];
  for (const v of [a, b, c, d]) {
    f.get(from).mem("v128.load").set(v);
    f.get(from).get(srcStride).op("i32.add").set(from);
  }
  f.get(a).get(b).shuffle32([0, 4, 1, 5]).set(p).get(c).get(d).shuffle32([0, 4, 1, 5]).set(q);
  f.get(a).get(b).shuffle32([2, 6, 3, 7]).set(s).get(c).get(d).shuffle32([2, 6, 3, 7]).set(t);
  const rows = [
    [p, q, [0, 1, 4, 5]],
    [p, q, [2, 3, 6, 7]],
    [s, t, [0, 1, 4, 5]],
    [s, t, [2, 3, 6, 7]],
  ] as const;
  for (const [low, high, lanes] of rows) {
    f.get(to).get(low).get(high).shuffle32(lanes).mem("v128.store");
    f.get(to).get(dstStride).op("i32.add").set(to);
  }
}

interface CellPlace {
  readonly r: Local;
  readonly rowEnd: Local;
  readonly c: Local;
  readonly columns: number;
  readonly seek: () => void;
  readonly from: Local;
  readonly to: Local;
  readonly srcStride: Local;
}

/** Element by element: the rows r to rowEnd of `columns` columns. */
function emitCells(f: FunctionBuilder, place: CellPlace): void {
  const { r, rowEnd, columns, seek, from, to, srcStride } = place;
  f.forUp(
    r,
    () => f.get(rowEnd),
    1,
    () => {
      seek();
      for (let i = 0; i < columns; i++) {
        f.get(to)
          .get(from)
          .mem("i32.load")
          .mem("i32.store", 4 * i);
        f.get(from).get(srcStride).op("i32.add").set(from);
      }
    },
  );
}

export interface TransposeOperands {
  readonly shape: readonly number[];
  /** Strides in elements. */
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly src: number;
  readonly dst: number;
}

/** Copies by transposing if the last dim of dst has stride 1 and another dim has stride 1 in src; false if it does not fit. */
export function transposeRows(host: KernelHost, { shape, from, to, src, dst }: TransposeOperands): boolean {
  const inner = shape.length - 1;
  const rowDim = from.findIndex((stride, dim) => dim !== inner && stride === 1 && (shape[dim] ?? 1) > 1);
  if (to[inner] !== 1 || rowDim < 0) return false;
  const rows = shape[rowDim] ?? 1;
  const columns = shape[inner] ?? 1;
  const outer = shape.map((_, dim) => dim).filter((dim) => dim !== inner && dim !== rowDim);
  const launches = numElements(outer.map((dim) => shape[dim] ?? 1));
  if (rows * columns < minElements || launches > maxLaunches) return false;
  const args = { rows, columns, srcStride: 4 * (from[inner] ?? 0), dstStride: 4 * (to[rowDim] ?? 0) };
  const options = { numItems: Math.ceil(rows / itemRows), grain: Math.ceil(32_768 / (itemRows * columns)) };
  const visit = (depth: number, srcAddress: number, dstAddress: number): void => {
    const dim = outer[depth];
    if (dim === undefined) {
      host.launch(transposeKernel, { src: srcAddress, dst: dstAddress, ...args }, options);
      return;
    }
    for (let i = 0; i < (shape[dim] ?? 1); i++) {
      visit(depth + 1, srcAddress + 4 * i * (from[dim] ?? 0), dstAddress + 4 * i * (to[dim] ?? 0));
    }
  };
  visit(0, src, dst);
  return true;
}
