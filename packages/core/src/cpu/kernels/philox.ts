/**
 * @file Philox 4x32-10: four blocks of 128 random bits at a time.
 *
 * Key = (seedLo, seedHi), counter = (block, use, m, step); element 4 i + j of the output is the top 24 bits of word j of block i,
 * times 2^-24.
 * @source Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), and Random123's constants.
 */
import type { KernelTable } from "../../backend/kernel-table.js";
import { defineKernel, type KernelRoom } from "../kernel.js";
import { numElements } from "../strided.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";

const multiplier0 = 0xd2511f53;
const multiplier1 = 0xcd9e8d57;
const weyl0 = 0x9e3779b9;
const weyl1 = 0xbb67ae85;
const numRounds = 10;
const itemElements = 1_024;
const grainElements = 16_384;

type Four = [Local, Local, Local, Local];

/** One item is 1,024 elements. */
const philoxKernel = defineKernel(
  "philoxUniform",
  { out: "i32", count: "i32", seedLo: "i32", seedHi: "i32", step: "i32", m: "i32", use: "i32" },
  ({ f, begin, end, arg, poolConstants }) => {
    poolConstants();
    const [out, count, seedLo, seedHi] = [arg("out"), arg("count"), arg("seedLo"), arg("seedHi")];
    const [step, m, use] = [arg("step"), arg("m"), arg("use")];
    const [i, last, address, left] = f.locals("i32", 4) as Four;
    const counter = f.locals("v128", 4) as Four;
    const words = f.locals("v128", 4) as Four;
    f.get(begin).i32(itemElements).op("i32.mul").set(i);
    f.get(end)
      .i32(itemElements)
      .op("i32.mul")
      .tee(last)
      .get(count)
      .get(last)
      .get(count)
      .op("i32.lt_s", "select")
      .set(last);
    f.forUp(
      i,
      () => f.get(last),
      16,
      () => {
        f.get(i).i32(2).op("i32.shr_u", "i32x4.splat").v128([0, 1, 2, 3]).op("i32x4.add").set(counter[0]);
        for (const [place, value] of [use, m, step].entries())
          f.get(value)
            .op("i32x4.splat")
            .set(counter[place + 1] as Local);
        emitRounds(f, counter, seedLo, seedHi);
        emitUniform(f, counter, words);
        for (const [block, word] of words.entries()) {
          f.get(out).get(i).i32(2).op("i32.shl", "i32.add").set(address);
          f.get(last)
            .get(i)
            .op("i32.sub")
            .i32(4 * block)
            .op("i32.sub")
            .tee(left)
            .i32(4)
            .op("i32.ge_s")
            .if(
              () =>
                f
                  .get(address)
                  .get(word)
                  .mem("v128.store", 16 * block),
              () => {
                for (let lane = 0; lane < 3; lane++) {
                  f.get(left)
                    .i32(lane)
                    .op("i32.gt_s")
                    .if(() => {
                      f.get(address)
                        .get(word)
                        .storeLane32(lane, 16 * block + 4 * lane);
                    });
                }
              },
            );
        }
      },
    );
  },
);

function emitRounds(f: FunctionBuilder, counter: Four, seedLo: Local, seedHi: Local): void {
  const [low0, high0, low1, high1] = f.locals("v128", 4) as Four;
  const [c0, c1, c2, c3] = counter;
  /** The 64-bit products of four lanes with a constant, as low and high words. */
  const multiply = (x: Local, by: number, low: Local, high: Local) => {
    f.get(x).i32x4(by).op("i64x2.extmul_low_i32x4_u").set(low);
    f.get(x).i32x4(by).op("i64x2.extmul_high_i32x4_u").set(high);
    f.get(low).get(high).shuffle32([0, 2, 4, 6]).get(low).get(high).shuffle32([1, 3, 5, 7]).set(high).set(low);
  };
  for (let round = 0; round < numRounds; round++) {
    multiply(c0, multiplier0, low0, high0);
    multiply(c2, multiplier1, low1, high1);
    const key = (seed: Local, weyl: number) => f.get(seed).i32(Math.imul(weyl, round)).op("i32.add", "i32x4.splat");
    f.get(high1).get(c1).op("v128.xor");
    key(seedLo, weyl0).op("v128.xor").set(c0);
    f.get(high0).get(c3).op("v128.xor");
    key(seedHi, weyl1).op("v128.xor").set(c2);
    f.get(low1).set(c1).get(low0).set(c3);
  }
}

/** Words to uniforms, lanes of one word of four blocks to the four words of one block. */
function emitUniform(f: FunctionBuilder, counter: Four, words: Four): void {
  const [p, q, s, t] = f.locals("v128", 4) as Four;
  for (const c of counter) {
    f.get(c)
      .i32(8)
      .op("i32x4.shr_u", "f32x4.convert_i32x4_s")
      .f32x4(1 / 16_777_216)
      .op("f32x4.mul")
      .set(c);
  }
  const [a, b, c, d] = counter;
  f.get(a).get(b).shuffle32([0, 4, 1, 5]).set(p).get(c).get(d).shuffle32([0, 4, 1, 5]).set(q);
  f.get(a).get(b).shuffle32([2, 6, 3, 7]).set(s).get(c).get(d).shuffle32([2, 6, 3, 7]).set(t);
  f.get(p).get(q).shuffle32([0, 1, 4, 5]).set(words[0]).get(p).get(q).shuffle32([2, 3, 6, 7]).set(words[1]);
  f.get(s).get(t).shuffle32([0, 1, 4, 5]).set(words[2]).get(s).get(t).shuffle32([2, 3, 6, 7]).set(words[3]);
}

export const philoxRoom: KernelRoom<Pick<KernelTable, "philoxUniform">> = {
  kernels: [philoxKernel],
  rows: (host) => ({
    philoxUniform({ seedLo, seedHi, step, m, use }, out) {
      const count = numElements(out.shape);
      const args = { out: host.addressOf(out), count, seedLo, seedHi, step, m, use };
      const options = { numItems: Math.ceil(count / itemElements), grain: grainElements / itemElements };
      host.launch(philoxKernel, args, options);
    },
  }),
};
