/**
 * @file gather and scatterAdd along one axis, any dtype.
 *
 * x (or the result of scatterAdd) is seen as [outer, K, inner], index and the other tensor as [outer, J, inner]; all contiguous.
 */
import type { TensorView } from "../../backend/backend.js";
import type { GatherAxisView, KernelTable } from "../../backend/kernel-table.js";
import { defineKernel, type KernelHost, type KernelRoom } from "../kernel.js";
import type { Local } from "../wasm/assembler.js";
import {
  add,
  assign,
  define,
  div,
  forRange,
  increase,
  loadInt,
  lt,
  min,
  mul,
  push,
  rem,
  sub,
  whileTrue,
  words,
} from "../wasm/integer.js";

/** Elements that take about 20 us. */
const grainElements = 15_000;

const gatherArgs = { x: "i32", index: "i32", out: "i32", axisLength: "i32", inner: "i32", indexLength: "i32" } as const;
const scatterArgs = {
  index: "i32",
  src: "i32",
  out: "i32",
  axisLength: "i32",
  inner: "i32",
  indexLength: "i32",
} as const;

/** An item is one (o, j): out[o, j, i] = x[o, index[o, j, i], i] for all i. */
const gather = defineKernel("gather", gatherArgs, ({ f, begin, end, arg }) => {
  const [x, index, out] = [arg("x"), arg("index"), arg("out")];
  const [axisLength, inner, indexLength] = [arg("axisLength"), arg("inner"), arg("indexLength")];
  const matrix = define(f, mul(axisLength, inner));
  const [source, at] = f.locals("i32", 2) as [Local, Local];
  forRange(f, { from: begin, to: end }, (item) => {
    assign(f, source, add(x, words(mul(div(item, indexLength), matrix))));
    assign(f, at, words(mul(item, inner)));
    forRange(f, { from: 0, to: inner }, (i) => {
      const element = add(mul(loadInt(add(index, at)), inner), i);
      push(f, add(out, at));
      push(f, loadInt(add(source, words(element)))).mem("i32.store");
      increase(f, at, 4);
    });
  });
});

/** An item is one (o, i): its column becomes 0, then takes the src of ascending j, so an element has one accumulator. */
function defineScatterAdd(dtype: "f32" | "i32") {
  return defineKernel(`scatterAdd_${dtype}`, scatterArgs, ({ f, begin, end, arg }) => {
    const [index, src, out] = [arg("index"), arg("src"), arg("out")];
    const [axisLength, inner, indexLength] = [arg("axisLength"), arg("inner"), arg("indexLength")];
    const [o, first, last, at, to, column] = f.locals("i32", 6) as [Local, Local, Local, Local, Local, Local];
    whileTrue(f, lt(begin, end), () => {
      assign(f, o, div(begin, inner));
      assign(f, first, rem(begin, inner));
      assign(f, last, add(first, sub(end, begin)));
      assign(f, last, min(last, inner));
      assign(f, column, add(out, words(mul(mul(o, axisLength), inner))));
      forRange(f, { from: 0, to: axisLength }, (k) => {
        forRange(f, { from: first, to: last }, (i) => {
          push(f, add(column, words(add(mul(k, inner), i))))
            .i32(0)
            .mem("i32.store");
        });
      });
      forRange(f, { from: 0, to: indexLength }, (j) => {
        assign(f, at, words(add(mul(add(mul(o, indexLength), j), inner), first)));
        forRange(f, { from: first, to: last }, (i) => {
          assign(f, to, add(column, words(add(mul(loadInt(add(index, at)), inner), i))));
          f.get(to).get(to).mem(`${dtype}.load`);
          push(f, add(src, at)).mem(`${dtype}.load`).op(`${dtype}.add`).mem(`${dtype}.store`);
          increase(f, at, 4);
        });
      });
      increase(f, begin, sub(last, first));
    });
  });
}
const scatterAdd = { f32: defineScatterAdd("f32"), i32: defineScatterAdd("i32") };

function launchGather(
  host: KernelHost,
  x: TensorView,
  io: { index: TensorView; axisView: GatherAxisView; out: TensorView },
): void {
  const { outer, axisLength, inner, indexLength } = io.axisView;
  const numItems = outer * indexLength;
  if (numItems * inner === 0) return;
  const values = {
    x: host.addressOf(x),
    index: host.addressOf(io.index),
    out: host.addressOf(io.out),
    axisLength,
    inner,
    indexLength,
  };
  host.launch(gather, values, { numItems, grain: Math.ceil(grainElements / inner) });
}

function launchScatterAdd(
  host: KernelHost,
  index: TensorView,
  io: { src: TensorView; axisView: GatherAxisView; out: TensorView },
): void {
  const { outer, axisLength, inner, indexLength } = io.axisView;
  const numItems = outer * inner;
  if (numItems * axisLength === 0) return;
  const values = {
    index: host.addressOf(index),
    src: host.addressOf(io.src),
    out: host.addressOf(io.out),
    axisLength,
    inner,
    indexLength,
  };
  const grain = Math.max(1, Math.ceil(grainElements / (axisLength + indexLength)));
  host.launch(io.out.dtype === "f32" ? scatterAdd.f32 : scatterAdd.i32, values, { numItems, grain });
}

export const gatherRoom: KernelRoom<Pick<KernelTable, "gather" | "scatterAdd">> = {
  kernels: [gather, scatterAdd.f32, scatterAdd.i32],
  rows: (host) => ({
    gather: (x, index, axisView, out) => launchGather(host, x, { index, axisView, out }),
    scatterAdd: (index, src, axisView, out) => launchScatterAdd(host, index, { src, axisView, out }),
  }),
};
