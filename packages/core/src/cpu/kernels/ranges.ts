/**
 * @file Functions on plain ranges of memory, for kernels and for threads that have nothing but the memory (vector-ops.ts).
 * Addresses in bytes, counts in f32 elements. Nothing is written past a range; up to 64 bytes past an input may be read.
 */
import { prime1, prime2, stripeBytes, stripeWords } from "../../hash/hash128.js";
import { defineFunction, type FunctionDefinition } from "../kernel.js";
import { emitTailMask } from "../sum-order.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";

interface MapRange {
  /** Addresses, moved along; the last one is the destination. */
  readonly pointers: readonly Local[];
  readonly count: Local;
}

/** For each vector: pushes the result, given the byte offset at which to read. Four vectors at a time, then one, then lanes. */
function emitMap(f: FunctionBuilder, { pointers, count }: MapRange, pushResult: (offset: number) => void): void {
  const [i, end] = f.locals("i32", 2) as [Local, Local];
  const value = f.local("v128");
  const dst = pointers.at(-1) as Local;
  const loop = (vectors: number) => {
    f.get(count)
      .i32(-4 * vectors)
      .op("i32.and")
      .set(end);
    f.forUp(
      i,
      () => f.get(end),
      4 * vectors,
      () => {
        for (let v = 0; v < vectors; v++) {
          f.get(dst);
          pushResult(16 * v);
          f.mem("v128.store", 16 * v);
        }
        for (const pointer of pointers)
          f.get(pointer)
            .i32(16 * vectors)
            .op("i32.add")
            .set(pointer);
      },
    );
  };
  loop(4);
  loop(1);
  f.get(count)
    .i32(3)
    .op("i32.and")
    .tee(end)
    .if(() => {
      pushResult(0);
      f.set(value);
      for (let lane = 0; lane < 3; lane++) {
        f.get(end)
          .i32(lane)
          .op("i32.gt_s")
          .if(() =>
            f
              .get(dst)
              .get(value)
              .storeLane32(lane, 4 * lane),
          );
      }
    });
}

/** (left, right, dst, count): dst = left + right; dst may be left or right. */
export const addRange: FunctionDefinition = defineFunction(
  "addRange",
  { params: ["i32", "i32", "i32", "i32"], results: [] },
  (f, params) => {
    const [left, right, dst, count] = params as [Local, Local, Local, Local];
    emitMap(f, { pointers: [left, right, dst], count }, (offset) => {
      f.get(left).mem("v128.load", offset).get(right).mem("v128.load", offset).op("f32x4.add");
    });
  },
);

/** (src, dst, count, divisor f32): dst = src / divisor; dst may be src. */
export const divideRange: FunctionDefinition = defineFunction(
  "divideRange",
  { params: ["i32", "i32", "i32", "f32"], results: [] },
  (f, params) => {
    const [src, dst, count, divisor] = params as [Local, Local, Local, Local];
    const divisors = f.local("v128");
    f.get(divisor).op("f32x4.splat").set(divisors);
    emitMap(f, { pointers: [src, dst], count }, (offset) => {
      f.get(src).mem("v128.load", offset).get(divisors).op("f32x4.div");
    });
  },
);

const exponentBits = 0x7f800000;

/** (address, count) -> index of the first value that is infinite or NaN, -1 if there is none. */
export const findNonFiniteRange: FunctionDefinition = defineFunction(
  "findNonFiniteRange",
  { params: ["i32", "i32"], results: ["i32"] },
  (f, params) => {
    const [address, count] = params as [Local, Local];
    const [i, end] = f.locals("i32", 2) as [Local, Local];
    const exponent = f.local("v128");
    f.i32x4(exponentBits).set(exponent);
    f.get(count).i32(-16).op("i32.and").set(end);
    // Groups of 16 while all are finite; the rest, or the group with the culprit, one by one.
    f.block(() => {
      f.forUp(
        i,
        () => f.get(end),
        16,
        () => {
          for (let v = 0; v < 4; v++) {
            f.get(address)
              .get(i)
              .i32(2)
              .op("i32.shl", "i32.add")
              .mem("v128.load", 16 * v)
              .get(exponent)
              .op("v128.and");
            f.get(exponent).op("i32x4.eq");
            if (v > 0) f.op("v128.or");
          }
          f.op("v128.any_true").brIf(2);
        },
      );
    });
    f.forUp(
      i,
      () => f.get(count),
      1,
      () => {
        f.get(address).get(i).i32(2).op("i32.shl", "i32.add").mem("i32.load").i32(exponentBits).op("i32.and");
        f.i32(exponentBits)
          .op("i32.eq")
          .if(() => f.get(i).op("return"));
      },
    );
    f.i32(-1);
  },
);

/** (address, count) -> sum of squares, f64: lane l of 4 adds the values l, l + 4, l + 8 ..., then (lane 0 + lane 2) + (lane 1 + lane 3). */
export const sumSquaresRange: FunctionDefinition = defineFunction(
  "sumSquaresRange",
  { params: ["i32", "i32"], results: ["f64"] },
  (f, params) => {
    const [address, count] = params as [Local, Local];
    const [i, end] = f.locals("i32", 2) as [Local, Local];
    const [low, high, x, wide] = f.locals("v128", 4) as [Local, Local, Local, Local];
    const addSquares = (): void => {
      f.get(x).op("f64x2.promote_low_f32x4").tee(wide).get(wide).op("f64x2.mul").get(low).op("f64x2.add").set(low);
      f.get(x).get(x).shuffle32([2, 3, 2, 3]).op("f64x2.promote_low_f32x4").tee(wide).get(wide).op("f64x2.mul");
      f.get(high).op("f64x2.add").set(high);
    };
    f.get(count).i32(-4).op("i32.and").set(end);
    f.forUp(
      i,
      () => f.get(end),
      4,
      () => {
        f.get(address).mem("v128.load", 0).set(x);
        addSquares();
        f.get(address).i32(16).op("i32.add").set(address);
      },
    );
    f.get(count)
      .i32(3)
      .op("i32.and")
      .tee(end)
      .if(() => {
        f.get(address).mem("v128.load", 0);
        emitTailMask(f, 0, end);
        f.op("v128.and").set(x);
        addSquares();
      });
    f.get(low).get(high).op("f64x2.add").tee(wide).extractF64(0).get(wide).extractF64(1).op("f64.add");
  },
);

/** Mixes `numStripes` stripes from `address` on into the four lane vectors. */
function emitStripes(f: FunctionBuilder, address: Local, numStripes: Local, lanes: readonly Local[]): void {
  const i = f.local("i32");
  const [p1, p2, mixed] = f.locals("v128", 3) as [Local, Local, Local];
  f.i32x4(prime1).set(p1).i32x4(prime2).set(p2);
  f.forUp(
    i,
    () => f.get(numStripes),
    1,
    () => {
      for (const [v, lane] of lanes.entries())
        emitRound(f, { lane, mixed, p1, p2 }, () => f.get(address).mem("v128.load", 16 * v));
      f.get(address).i32(stripeBytes).op("i32.add").set(address);
    },
  );
}

interface RoundLocals {
  readonly lane: Local;
  readonly mixed: Local;
  readonly p1: Local;
  readonly p2: Local;
}

function emitRound(f: FunctionBuilder, { lane, mixed, p1, p2 }: RoundLocals, pushWords: () => void): void {
  f.get(lane);
  pushWords();
  f.get(p2).op("i32x4.mul", "i32x4.add").tee(mixed).i32(13).op("i32x4.shl");
  f.get(mixed).i32(19).op("i32x4.shr_u", "v128.or").get(p1).op("i32x4.mul").set(lane);
}

/** (address, numStripes, lanes): mixes whole stripes into the 16 accumulators at `lanes` (see hash/hash128.ts). */
export const hashStripes: FunctionDefinition = defineFunction(
  "hashStripes",
  { params: ["i32", "i32", "i32"], results: [] },
  (f, params) => {
    const [address, numStripes, state] = params as [Local, Local, Local];
    const lanes = f.locals("v128", 4);
    for (const [v, lane] of lanes.entries())
      f.get(state)
        .mem("v128.load", 16 * v)
        .set(lane);
    emitStripes(f, address, numStripes, lanes);
    for (const [v, lane] of lanes.entries())
      f.get(state)
        .get(lane)
        .mem("v128.store", 16 * v);
  },
);

/** (address, numWords, initial accumulators) -> the 16 accumulators after all words, a short last stripe padded with zeros. */
export function hashRange(initial: Int32Array): FunctionDefinition {
  const results = Array.from({ length: stripeWords }, () => "i32" as const);
  return defineFunction("hashRange", { params: ["i32", "i32"], results }, (f, params) => {
    const [address, numWords] = params as [Local, Local];
    const lanes = f.locals("v128", 4);
    const [p1, p2, mixed] = f.locals("v128", 3) as [Local, Local, Local];
    const numStripes = f.local("i32");
    for (const [v, lane] of lanes.entries()) {
      const word = (i: number) => initial[4 * v + i] ?? 0;
      f.v128([word(0), word(1), word(2), word(3)]).set(lane);
    }
    f.get(numWords).i32(4).op("i32.shr_u").set(numStripes);
    emitStripes(f, address, numStripes, lanes);
    f.get(numWords)
      .i32(stripeWords - 1)
      .op("i32.and")
      .tee(numWords)
      .if(() => {
        f.i32x4(prime1).set(p1).i32x4(prime2).set(p2);
        for (const [v, lane] of lanes.entries()) {
          emitRound(f, { lane, mixed, p1, p2 }, () => {
            f.get(address).mem("v128.load", 16 * v);
            emitTailMask(f, v, numWords);
            f.op("v128.and");
          });
        }
      });
    for (const lane of lanes) for (let i = 0; i < 4; i++) f.get(lane).extractI32(i);
  });
}
