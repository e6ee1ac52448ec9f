/**
 * @file im2col and col2im: windows of an image as columns of a matrix, and columns added back onto an image, one tile at a time.
 *
 * Column n of a tile stands for one output position; line (c, kd, kh, kw) holds what tap (kd, kh, kw) of channel c sees there, 0 in the
 * padding. Lines are 64 bytes longer than the tile, so that a run may be written as whole vectors.
 * Order of additions of col2im: an element takes output rows in ascending order, within a row ascending kw; tiles of ascending rows
 * continue it, so the tile's size changes no bit.
 * Legend: C channels, K taps of a channel; d, h, w the three spatial dims.
 */
import type { TensorView } from "../../backend/backend.js";
import type { ColumnsTile, KernelTable, WindowGeometry } from "../../backend/kernel-table.js";
import { type ArgValues, defineKernel, type KernelBody, type KernelHost, type KernelRoom } from "../kernel.js";
import type { Local } from "../wasm/assembler.js";
import {
  add,
  and,
  assign,
  define,
  div,
  eq,
  forRange,
  type Int,
  increase,
  max,
  min,
  mul,
  push,
  rem,
  sub,
  words,
} from "../wasm/integer.js";

/** Elements that take about 20 us. */
const grainElements = 30_000;

const args = {
  image: "i32",
  columns: "i32",
  lineBytes: "i32",
  channels: "i32",
  inD: "i32",
  inH: "i32",
  inW: "i32",
  kD: "i32",
  kH: "i32",
  kW: "i32",
  strideD: "i32",
  strideH: "i32",
  strideW: "i32",
  padD: "i32",
  padH: "i32",
  padW: "i32",
  dilationD: "i32",
  dilationH: "i32",
  dilationW: "i32",
  outH: "i32",
  outW: "i32",
  firstImage: "i32",
  numImages: "i32",
  firstRow: "i32",
  numRows: "i32",
} as const;
type Args = typeof args;
type Loaded = Readonly<Record<keyof Args, Local>>;

/** Where a tap's row lies: input position of output 0 along w, and the outputs [from, to) that it finds inside the image. */
interface Run {
  readonly offset: Local;
  readonly from: Local;
  readonly to: Local;
}

function runLocals({ f }: KernelBody<Args>): Run {
  return { offset: f.local("i32"), from: f.local("i32"), to: f.local("i32") };
}

function emitRun({ f }: KernelBody<Args>, p: Loaded, run: Run, kw: Int): void {
  assign(f, run.offset, sub(mul(kw, p.dilationW), p.padW));
  // Outputs j with 0 <= j * stride + offset < inW.
  const past = sub(p.strideW, 1);
  assign(f, run.from, sub(past, run.offset));
  assign(f, run.from, max(run.from, 0));
  assign(f, run.from, div(run.from, p.strideW));
  assign(f, run.from, min(run.from, p.outW));
  assign(f, run.to, add(sub(p.inW, run.offset), past));
  assign(f, run.to, max(run.to, 0));
  assign(f, run.to, div(run.to, p.strideW));
  assign(f, run.to, min(run.to, p.outW));
  assign(f, run.to, max(run.to, run.from));
}

const below = (x: Int, y: Int): Int => ({ op: "i32.lt_u", operands: [x, y] });

/** An item is a line. */
const im2colKernel = defineKernel("im2col", args, (kernel) => {
  const { f, begin, end } = kernel;
  const p = kernel.allArgs();
  const run = runLocals(kernel);
  const planeBytes = define(f, words(mul(mul(p.inD, p.inH), p.inW)));
  const [plane, to, from, id, oh, ih, count, rest] = f.locals("i32", 8) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const clear = (bytesFrom: Int, length: Int): void => {
    forRange(f, { from: bytesFrom, to: length, step: 16 }, (at) => {
      push(f, add(to, at)).f32x4(0).mem("v128.store");
    });
  };
  forRange(f, { from: begin, to: end }, (line) => {
    const kw = define(f, rem(line, p.kW));
    const kh = define(f, rem(div(line, p.kW), p.kH));
    const kd = define(f, rem(div(line, mul(p.kW, p.kH)), p.kD));
    const channel = define(f, div(line, mul(mul(p.kW, p.kH), p.kD)));
    emitRun(kernel, p, run, kw);
    assign(f, count, words(sub(run.to, run.from)));
    assign(f, rest, words(sub(p.outW, run.to)));
    assign(f, plane, add(p.image, mul(planeBytes, add(mul(p.firstImage, p.channels), channel))));
    assign(f, to, add(p.columns, mul(line, p.lineBytes)));
    const firstH = define(f, sub(mul(kh, p.dilationH), p.padH));
    forRange(f, { from: 0, to: p.numImages }, () => {
      assign(f, id, sub(add(mul(div(p.firstRow, p.outH), p.strideD), mul(kd, p.dilationD)), p.padD));
      assign(f, oh, rem(p.firstRow, p.outH));
      assign(f, ih, add(mul(oh, p.strideH), firstH));
      forRange(f, { from: 0, to: p.numRows }, () => {
        push(f, and(below(id, p.inD), below(ih, p.inH))).if(
          () => {
            clear(0, words(run.from));
            increase(f, to, words(run.from));
            const column = add(mul(run.from, p.strideW), run.offset);
            assign(f, from, add(plane, words(add(mul(add(mul(id, p.inH), ih), p.inW), column))));
            push(f, eq(p.strideW, 1)).if(
              () => {
                forRange(f, { from: 0, to: count, step: 16 }, (at) => {
                  push(f, add(to, at));
                  push(f, add(from, at)).mem("v128.load").mem("v128.store");
                });
              },
              () => {
                forRange(f, { from: 0, to: count, step: 4 }, (at) => {
                  push(f, add(to, at));
                  push(f, from).mem("i32.load").mem("i32.store");
                  increase(f, from, words(p.strideW));
                });
              },
            );
            increase(f, to, count);
            clear(0, rest);
            increase(f, to, rest);
          },
          () => {
            clear(0, words(p.outW));
            increase(f, to, words(p.outW));
          },
        );
        increase(f, oh, 1);
        increase(f, ih, p.strideH);
        push(f, eq(oh, p.outH)).if(() => {
          assign(f, oh, 0);
          assign(f, ih, firstH);
          increase(f, id, p.strideD);
        });
      });
      increase(f, plane, mul(planeBytes, p.channels));
    });
  });
});

/** An item is one channel of one image of the tile. */
const col2imKernel = defineKernel("col2im", args, (kernel) => {
  const { f, begin, end } = kernel;
  const p = kernel.allArgs();
  const run = runLocals(kernel);
  const planeBytes = define(f, words(mul(mul(p.inD, p.inH), p.inW)));
  const [plane, to, from, id, ih, count, line, row] = f.locals("i32", 8) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const addOne = (at: Int): void => {
    push(f, to);
    push(f, to).mem("f32.load");
    push(f, add(from, at)).mem("f32.load").op("f32.add").mem("f32.store");
    increase(f, to, words(p.strideW));
  };
  forRange(f, { from: begin, to: end }, (item) => {
    const image = define(f, div(item, p.channels));
    const channel = define(f, rem(item, p.channels));
    assign(f, plane, add(p.image, mul(planeBytes, add(mul(add(p.firstImage, image), p.channels), channel))));
    forRange(f, { from: 0, to: p.numRows }, (index) => {
      assign(f, row, add(p.firstRow, index));
      assign(f, line, add(p.columns, mul(mul(mul(mul(channel, p.kD), p.kH), p.kW), p.lineBytes)));
      increase(f, line, words(mul(add(mul(image, p.numRows), index), p.outW)));
      forRange(f, { from: 0, to: p.kD }, (kd) => {
        assign(f, id, sub(add(mul(div(row, p.outH), p.strideD), mul(kd, p.dilationD)), p.padD));
        forRange(f, { from: 0, to: p.kH }, (kh) => {
          assign(f, ih, sub(add(mul(rem(row, p.outH), p.strideH), mul(kh, p.dilationH)), p.padH));
          push(f, and(below(id, p.inD), below(ih, p.inH))).if(
            () => {
              forRange(f, { from: 0, to: p.kW }, (kw) => {
                emitRun(kernel, p, run, kw);
                assign(f, count, words(sub(run.to, run.from)));
                assign(f, from, add(line, words(run.from)));
                const column = add(mul(run.from, p.strideW), run.offset);
                assign(f, to, add(plane, words(add(mul(add(mul(id, p.inH), ih), p.inW), column))));
                const at = define(f, 0);
                push(f, eq(p.strideW, 1)).if(() => {
                  forRange(f, { from: 0, to: and(count, -16), step: 16 }, (vectorAt) => {
                    push(f, to).get(to).mem("v128.load");
                    push(f, add(from, vectorAt)).mem("v128.load").op("f32x4.add").mem("v128.store");
                    increase(f, to, 16);
                  });
                  assign(f, at, and(count, -16));
                });
                forRange(f, { from: at, to: count, step: 4 }, addOne);
                increase(f, line, p.lineBytes);
              });
            },
            () => void increase(f, line, mul(p.kW, p.lineBytes)),
          );
        });
      });
    });
  });
});

interface TileLaunch {
  readonly image: TensorView;
  readonly columns: TensorView;
  readonly geometry: WindowGeometry;
  readonly tile: ColumnsTile;
}

function valuesOf(host: KernelHost, { image, columns, geometry, tile }: TileLaunch): ArgValues<Args> {
  const { input, kernel, stride, padding, dilation, output } = geometry;
  return {
    image: host.addressOf(image),
    columns: host.addressOf(columns),
    lineBytes: 4 * (columns.strides[0] ?? 0),
    channels: image.shape[1] ?? 0,
    inD: input[0],
    inH: input[1],
    inW: input[2],
    kD: kernel[0],
    kH: kernel[1],
    kW: kernel[2],
    strideD: stride[0],
    strideH: stride[1],
    strideW: stride[2],
    padD: padding[0],
    padH: padding[1],
    padW: padding[2],
    dilationD: dilation[0],
    dilationH: dilation[1],
    dilationW: dilation[2],
    outH: output[1],
    outW: output[2],
    ...tile,
  };
}

function launch(host: KernelHost, kernel: typeof im2colKernel, tile: TileLaunch): void {
  const values = valuesOf(host, tile);
  const [numLines = 0, numColumns = 0] = tile.columns.shape;
  const numItems = kernel === im2colKernel ? numLines : values.numImages * values.channels;
  if (numLines * numColumns === 0) return;
  host.launch(kernel, values, { numItems, grain: Math.ceil((grainElements * numItems) / (numLines * numColumns)) });
}

export const columnsRoom: KernelRoom<Pick<KernelTable, "im2col" | "col2im">> = {
  kernels: [im2colKernel, col2imKernel],
  rows: (host) => ({
    im2col: (image, geometry, tile, columns) => launch(host, im2colKernel, { image, geometry, tile, columns }),
    col2im: (columns, geometry, tile, image) => launch(host, col2imKernel, { image, geometry, tile, columns }),
  }),
};
