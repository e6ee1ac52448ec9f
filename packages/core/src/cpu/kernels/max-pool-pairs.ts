/**
 * @file Maximum pooling of 2 x 2 with stride 2, four windows at a time: the same results as max-pool.ts gives, which takes any windows.
 *
 * The four elements of a window are tried in row-major order, as there. An item is a plane.
 */
import { defineKernel, type Kernel } from "../kernel.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { add, assign, define, forRange, increase, lt, mul, push, storeVector, sub, words } from "../wasm/integer.js";
import { storePart } from "./row-loop.js";

const args = {
  x: "i32",
  out: "i32",
  index: "i32",
  height: "i32",
  width: "i32",
  outHeight: "i32",
  outWidth: "i32",
} as const;

const evens = [0, 2, 4, 6] as const;
const odds = [1, 3, 5, 7] as const;

interface Best {
  readonly value: Local;
  readonly place: Local;
}

/** best = the candidate where it is larger or NaN. */
function emitCandidate(f: FunctionBuilder, best: Best, candidate: Best, mask: Local): void {
  const { value, place } = candidate;
  f.get(value).get(best.value).op("f32x4.gt").get(value).get(value).op("f32x4.ne", "v128.or").set(mask);
  f.get(value).get(best.value).get(mask).op("v128.bitselect").set(best.value);
  f.get(place).get(best.place).get(mask).op("v128.bitselect").set(best.place);
}

export const maxPoolPairsKernel: Kernel<typeof args> = defineKernel("maxPoolPairs", args, ({ f, begin, end, arg }) => {
  const [x, out, index, height, width] = [arg("x"), arg("out"), arg("index"), arg("height"), arg("width")];
  const [outHeight, outWidth] = [arg("outHeight"), arg("outWidth")];
  const planeBytes = define(f, words(mul(height, width)));
  const rowBytes = define(f, words(width));
  const [plane, from, place, left, toValue, toIndex, at] = f.locals("i32", 7) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const [low, high, places, mask] = f.locals("v128", 4) as [Local, Local, Local, Local];
  const best: Best = { value: f.local("v128"), place: f.local("v128") };
  const candidate: Best = { value: f.local("v128"), place: f.local("v128") };
  const load = (address: Local, row: Local | 0): void => {
    push(f, add(address, row)).mem("v128.load").set(low);
    push(f, add(address, row)).mem("v128.load", 16).set(high);
  };
  const tryTap = (lanes: typeof evens | typeof odds, pushOffset: () => void): void => {
    f.get(low).get(high).shuffle32(lanes).set(candidate.value);
    f.get(places);
    pushOffset();
    f.op("i32x4.add").set(candidate.place);
    emitCandidate(f, best, candidate, mask);
  };
  assign(f, toValue, add(out, words(mul(begin, mul(outHeight, outWidth)))));
  assign(f, toIndex, add(index, words(mul(begin, mul(outHeight, outWidth)))));
  forRange(f, { from: begin, to: end }, (item) => {
    assign(f, plane, add(x, mul(item, planeBytes)));
    forRange(f, { from: 0, to: outHeight }, (row) => {
      assign(f, place, mul(mul(row, 2), width));
      assign(f, from, add(plane, words(place)));
      assign(f, left, outWidth);
      f.block(() => {
        f.loop(() => {
          push(f, lt(0, left)).op("i32.eqz").brIf(1);
          f.get(place).op("i32x4.splat").v128([0, 2, 4, 6]).op("i32x4.add").set(places);
          load(from, 0);
          f.get(low).get(high).shuffle32(evens).set(best.value).get(places).set(best.place);
          tryTap(odds, () => void f.i32x4(1));
          load(from, rowBytes);
          tryTap(evens, () => void f.get(width).op("i32x4.splat"));
          tryTap(odds, () => void f.get(width).i32(1).op("i32.add", "i32x4.splat"));
          push(f, lt(left, 4)).if(
            () => {
              assign(f, at, toValue);
              storePart(f, best.value, at, left);
              assign(f, at, toIndex);
              storePart(f, best.place, at, left);
              increase(f, toValue, words(left));
              increase(f, toIndex, words(left));
            },
            () => {
              storeVector(f, best.value, toValue);
              storeVector(f, best.place, toIndex);
              increase(f, toValue, 16);
              increase(f, toIndex, 16);
            },
          );
          increase(f, from, 32);
          increase(f, place, 8);
          assign(f, left, sub(left, 4));
          f.br(0);
        });
      });
    });
  });
});
