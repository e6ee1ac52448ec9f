/**
 * @file Philox 4x32-10: blocks of 128 random bits. Scalar: V8's products of 32-bit lanes need six shuffles a round and are slower.
 *
 * Key = (seedLo, seedHi), counter = (block, use, m, step); element 4 i + j of the output is the top 24 bits of word j of block i,
 * times 2^-24.
 * @source Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), and Random123's constants.
 */
import type { KernelTable } from "../../backend/kernel-table.js";
import { numElements } from "../../backend/strided.js";
import { defineKernel, type KernelRoom } from "../kernel.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";

const multiplier0 = 0xd2511f53;
const multiplier1 = 0xcd9e8d57;
const weyl0 = 0x9e3779b9;
const weyl1 = 0xbb67ae85;
const numRounds = 10;
const itemElements = 1_024;
const grainElements = 16_384;

type Four = readonly [Local, Local, Local, Local];

/** One item is 1,024 elements. */
const philoxKernel = defineKernel(
  "philoxUniform",
  { out: "i32", count: "i32", seedLo: "i32", seedHi: "i32", step: "i32", m: "i32", use: "i32" },
  ({ f, begin, end, arg }) => {
    const [out, count, seedLo, seedHi] = [arg("out"), arg("count"), arg("seedLo"), arg("seedHi")];
    const [step, m, use] = [arg("step"), arg("m"), arg("use")];
    const [i, last, address] = f.locals("i32", 3) as [Local, Local, Local];
    const block = f.locals("i64", 4) as unknown as Four;
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
      4,
      () => {
        f.get(i).i32(2).op("i32.shr_u", "i64.extend_i32_u").set(block[0]);
        for (const [place, value] of [use, m, step].entries()) {
          f.get(value)
            .op("i64.extend_i32_u")
            .set(block[place + 1] as Local);
        }
        emitRounds(f, block, seedLo, seedHi);
        f.get(out).get(i).i32(2).op("i32.shl", "i32.add").set(address);
        const store = (j: number) => {
          f.get(address)
            .get(block[j] as Local)
            .op("i32.wrap_i64")
            .i32(8)
            .op("i32.shr_u", "f32.convert_i32_s");
          f.f32(1 / 16_777_216)
            .op("f32.mul")
            .mem("f32.store", 4 * j);
        };
        f.get(last)
          .get(i)
          .op("i32.sub")
          .i32(4)
          .op("i32.ge_s")
          .if(
            () => [0, 1, 2, 3].forEach(store),
            () => {
              for (const j of [0, 1, 2])
                f.get(last)
                  .get(i)
                  .op("i32.sub")
                  .i32(j)
                  .op("i32.gt_s")
                  .if(() => store(j));
            },
          );
      },
    );
  },
);

/** Ten rounds on a block. Words are i64 with a high half of zeros. */
function emitRounds(f: FunctionBuilder, [c0, c1, c2, c3]: Four, seedLo: Local, seedHi: Local): void {
  const [product0, product1] = f.locals("i64", 2) as [Local, Local];
  const pushKey = (seed: Local, weyl: number, round: number) =>
    f.get(seed).i32(Math.imul(weyl, round)).op("i32.add", "i64.extend_i32_u");
  const pushHigh = (product: Local) => f.get(product).i32(32).op("i64.extend_i32_u", "i64.shr_u");
  for (let round = 0; round < numRounds; round++) {
    f.get(c0).i32(multiplier0).op("i64.extend_i32_u", "i64.mul").set(product0);
    f.get(c2).i32(multiplier1).op("i64.extend_i32_u", "i64.mul").set(product1);
    pushKey(seedLo, weyl0, round).get(c1).op("i64.xor");
    pushHigh(product1).op("i64.xor").set(c0);
    pushKey(seedHi, weyl1, round).get(c3).op("i64.xor");
    pushHigh(product0).op("i64.xor").set(c2);
    f.get(product1).op("i32.wrap_i64", "i64.extend_i32_u").set(c1);
    f.get(product0).op("i32.wrap_i64", "i64.extend_i32_u").set(c3);
  }
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
