/**
 * @file copy and fill: bytes from one strided view to another, whatever their dtype.
 *
 * Ways, chosen by strides: one contiguous piece; rows whose elements lie side by side in both; a transpose in blocks of 4 x 4, 16 rows
 * at a time; element by element.
 */
import type { TensorView } from "../../backend/backend.js";
import type { KernelTable } from "../../backend/kernel-table.js";
import { collapseDims, numElements } from "../../backend/strided.js";
import { defineKernel, type KernelHost, type KernelRoom } from "../kernel.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { add, and, define, forRange, push, words } from "../wasm/integer.js";
import { emitRowWalk, rowWalkWords } from "./row-walk.js";
import { transposeKernel, transposeRows } from "./transpose.js";

const pieceBytes = 16_384;
/** Elements copied in about 20 us. */
const grainElements = 65_536;

/** One item is a piece of 16 KiB. */
const copyBytes = defineKernel("copyBytes", { src: "i32", dst: "i32", byteLength: "i32" }, ({ f, begin, end, arg }) => {
  const [src, dst, byteLength] = [arg("src"), arg("dst"), arg("byteLength")];
  const endByte = f.local("i32");
  f.get(begin).i32(pieceBytes).op("i32.mul").set(begin);
  f.get(end).i32(pieceBytes).op("i32.mul").tee(endByte).get(byteLength);
  f.get(endByte).get(byteLength).op("i32.lt_u", "select").set(endByte);
  f.get(dst)
    .get(begin)
    .op("i32.add")
    .get(src)
    .get(begin)
    .op("i32.add")
    .get(endByte)
    .get(begin)
    .op("i32.sub")
    .memoryCopy();
});

/** One item is a row of `rowLength` elements, side by side in src and dst. */
const copyRows = defineKernel("copyRows", { src: "i32", dst: "i32", rowLength: "i32" }, ({ f, begin, end, arg }) => {
  const [src, dst, rowLength] = [arg("src"), arg("dst"), arg("rowLength")];
  const args = f.params[2] as Local;
  const rowBytes = define(f, words(rowLength));
  const vectorBytes = define(f, and(rowBytes, -16));
  emitRowWalk(f, { args, offset: 16, pointers: [src, dst], begin, end }, () => {
    forRange(f, { from: 0, to: vectorBytes, step: 16 }, (at) => {
      push(f, add(dst, at));
      push(f, add(src, at)).mem("v128.load").mem("v128.store");
    });
    forRange(f, { from: vectorBytes, to: rowBytes, step: 4 }, (at) => {
      push(f, add(dst, at));
      push(f, add(src, at)).mem("i32.load").mem("i32.store");
    });
  });
});

/** One item is a row of `rowLength` elements with any stride in src and dst. */
const copyElements = defineKernel(
  "copyElements",
  { src: "i32", dst: "i32", rowLength: "i32", srcStride: "i32", dstStride: "i32" },
  ({ f, begin, end, arg }) => {
    const [src, dst, rowLength, srcStride, dstStride] = [
      arg("src"),
      arg("dst"),
      arg("rowLength"),
      arg("srcStride"),
      arg("dstStride"),
    ];
    const args = f.params[2] as Local;
    const [i, from, to] = f.locals("i32", 3) as [Local, Local, Local];
    emitRowWalk(f, { args, offset: 24, pointers: [src, dst], begin, end }, () => {
      f.get(src).set(from).get(dst).set(to).i32(0).set(i);
      f.forUp(
        i,
        () => f.get(rowLength),
        1,
        () => {
          f.get(to).get(from).mem("i32.load").mem("i32.store");
          advance(f, from, srcStride);
          advance(f, to, dstStride);
        },
      );
    });
  },
);

/** One item is a row of `rowLength` elements with any stride. */
const fillElements = defineKernel(
  "fillElements",
  { dst: "i32", rowLength: "i32", dstStride: "i32", bits: "i32" },
  ({ f, begin, end, arg }) => {
    const [dst, rowLength, dstStride, bits] = [arg("dst"), arg("rowLength"), arg("dstStride"), arg("bits")];
    const args = f.params[2] as Local;
    const [i, to, vectorEnd] = f.locals("i32", 3) as [Local, Local, Local];
    f.get(dstStride)
      .i32(4)
      .op("i32.eq")
      .if(() => f.get(rowLength).i32(-4).op("i32.and").set(vectorEnd));
    emitRowWalk(f, { args, offset: 20, pointers: [dst], begin, end }, () => {
      f.get(dst).set(to).i32(0).set(i);
      f.forUp(
        i,
        () => f.get(vectorEnd),
        4,
        () => {
          f.get(to).get(bits).op("i32x4.splat").mem("v128.store");
          f.get(to).i32(16).op("i32.add").set(to);
        },
      );
      f.forUp(
        i,
        () => f.get(rowLength),
        1,
        () => {
          f.get(to).get(bits).mem("i32.store");
          advance(f, to, dstStride);
        },
      );
    });
  },
);

function advance(f: FunctionBuilder, pointer: Local, bytes: Local): void {
  f.get(pointer).get(bytes).op("i32.add").set(pointer);
}

function copy(host: KernelHost, src: TensorView, dst: TensorView): void {
  const size = numElements(src.shape);
  if (size === 0) return;
  const { shape, strides } = collapseDims(src.shape, [src.strides, dst.strides]);
  const [from, to] = strides as [readonly number[], readonly number[]];
  const addresses = { src: host.addressOf(src), dst: host.addressOf(dst) };
  const inner = shape.length - 1;
  const rowLength = shape[inner] ?? 1;
  const isRow = from[inner] === 1 && to[inner] === 1;
  if (isRow && shape.length === 1) {
    const options = { numItems: Math.ceil((4 * size) / pieceBytes), grain: (4 * grainElements) / pieceBytes };
    host.launch(copyBytes, { ...addresses, byteLength: 4 * size }, options);
    return;
  }
  if (!isRow && transposeRows(host, { shape, from, to, ...addresses })) return;
  // Behind the declared args: see row-walk.ts.
  const words = rowWalkWords(shape.slice(0, inner), [from.slice(0, inner), to.slice(0, inner)]);
  const options = { numItems: size / rowLength, grain: Math.ceil(grainElements / 4 / rowLength), words };
  if (isRow) host.launch(copyRows, { ...addresses, rowLength }, options);
  else {
    const srcStride = 4 * (from[inner] ?? 0);
    const dstStride = 4 * (to[inner] ?? 0);
    host.launch(copyElements, { ...addresses, rowLength, srcStride, dstStride }, options);
  }
}

const bitsOf = new DataView(new ArrayBuffer(4));

function fill(host: KernelHost, dst: TensorView, value: number): void {
  const size = numElements(dst.shape);
  if (size === 0) return;
  if (dst.dtype === "f32") bitsOf.setFloat32(0, value);
  else bitsOf.setInt32(0, value);
  const { shape, strides } = collapseDims(dst.shape, [dst.strides]);
  const own = strides[0] as readonly number[];
  const outer = shape.slice(0, -1);
  const rowLength = shape.at(-1) ?? 1;
  const words = rowWalkWords(outer, [own.slice(0, -1)]);
  const args = { dst: host.addressOf(dst), rowLength, dstStride: 4 * (own.at(-1) ?? 0), bits: bitsOf.getInt32(0) };
  const options = { numItems: numElements(outer), grain: Math.ceil(grainElements / rowLength), words };
  host.launch(fillElements, args, options);
}

export const copyRoom: KernelRoom<Pick<KernelTable, "copy" | "fill">> = {
  kernels: [copyBytes, copyRows, copyElements, fillElements, transposeKernel],
  rows: (host) => ({
    copy: (src, dst) => copy(host, src, dst),
    fill: (dst, value) => fill(host, dst, value),
  }),
};
