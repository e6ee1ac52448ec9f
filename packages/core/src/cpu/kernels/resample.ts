/**
 * @file Weighted sums of a few places along one axis: average pooling, interpolation, and their gradients.
 *
 * out[o, j, i] = sum over t ascending of weight[t] * x[o, place[t], i] with t in [start[j], start[j + 1]), from +0, product and sum
 * rounded apart in every numeric class.
 */
import type { TensorView } from "../../backend/backend.js";
import type { KernelTable, ResampleTable } from "../../backend/kernel-table.js";
import { defineKernel, type KernelHost, type KernelRoom } from "../kernel.js";
import type { Local } from "../wasm/assembler.js";
import { add, assign, define, forRange, increase, loadInt, mul, push, words } from "../wasm/integer.js";
import { mapRow } from "./row-loop.js";

/** Elements that take about 20 us. */
const grainElements = 20_000;

const args = {
  x: "i32",
  out: "i32",
  starts: "i32",
  places: "i32",
  weights: "i32",
  axisLength: "i32",
  outLength: "i32",
  inner: "i32",
} as const;

/** An item is one index o of the outer dims. */
const resampleKernel = defineKernel("resample", args, ({ f, begin, end, arg }) => {
  const [x, out, starts, places, weights] = [arg("x"), arg("out"), arg("starts"), arg("places"), arg("weights")];
  const [axisLength, outLength, inner] = [arg("axisLength"), arg("outLength"), arg("inner")];
  const rowBytes = define(f, words(inner));
  const sum = f.local("v128");
  const [source, to, first, last] = f.locals("i32", 4) as [Local, Local, Local, Local];
  forRange(f, { from: begin, to: end }, (o) => {
    assign(f, source, add(x, mul(mul(o, axisLength), rowBytes)));
    assign(f, to, add(out, mul(mul(o, outLength), rowBytes)));
    forRange(f, { from: 0, to: outLength }, (j) => {
      assign(f, first, words(loadInt(add(starts, words(j)))));
      assign(f, last, words(loadInt(add(starts, words(j)), 4)));
      mapRow(f, { to, count: inner }, (offset) => {
        f.f32x4(0).set(sum);
        forRange(f, { from: first, to: last, step: 4 }, (at) => {
          f.get(sum);
          push(f, add(weights, at)).mem("v128.load32_splat");
          push(f, add(source, mul(loadInt(add(places, at)), rowBytes), offset)).mem("v128.load");
          f.op("f32x4.mul", "f32x4.add").set(sum);
        });
        f.get(sum);
      });
      increase(f, to, rowBytes);
    });
  });
});

function launch(host: KernelHost, x: TensorView, table: ResampleTable, out: TensorView): void {
  const [outer = 0, axisLength = 0, inner = 0] = x.shape;
  const outLength = table.starts.length - 1;
  const perItem = outLength * inner;
  if (outer * perItem === 0) return;
  const numPlaces = table.places.length;
  host.withTemporary(4 * (outLength + 1 + 2 * numPlaces), (address) => {
    const { i32, f32 } = host.words();
    const places = address + 4 * (outLength + 1);
    const weights = places + 4 * numPlaces;
    i32.set(table.starts, address / 4);
    i32.set(table.places, places / 4);
    f32.set(table.weights, weights / 4);
    const values = {
      x: host.addressOf(x),
      out: host.addressOf(out),
      starts: address,
      places,
      weights,
      axisLength,
      outLength,
      inner,
    };
    host.launch(resampleKernel, values, { numItems: outer, grain: Math.ceil(grainElements / perItem) });
  });
}

export const resampleRoom: KernelRoom<Pick<KernelTable, "resample">> = {
  kernels: [resampleKernel],
  rows: (host) => ({ resample: (x, table, out) => launch(host, x, table, out) }),
};
