/**
 * @file Philox 4x32-10: one invocation a block of 128 random bits. The same words as core's CPU kernel, to the bit.
 *
 * @source Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), and Random123's constants.
 */
import type { TensorView } from "@lockstep/core";
import { type KernelTable, numElements } from "@lockstep/core/backend";
import { defineKernel, groupsOf, type KernelHost } from "../launch/kernel.js";

const philox = defineKernel({
  name: "philoxUniform",
  operands: { out: "write f32" },
  params: { count: "u32", seedLo: "u32", seedHi: "u32", step: "u32", m: "u32", draw: "u32" },
  placeParams: { step: "step", m: "m" },
  declarations: `
fn highWord(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu; let ah = a >> 16u; let bl = b & 0xffffu; let bh = b >> 16u;
  let m1 = ah * bl; let m2 = al * bh;
  let carry = (((al * bl) >> 16u) + (m1 & 0xffffu) + (m2 & 0xffffu)) >> 16u;
  return ah * bh + (m1 >> 16u) + (m2 >> 16u) + carry;
}`,
  body: `
  let first = item * 4u;
  if (first >= p.count) { return; }
  var c = vec4u(item, p.draw, p.m, p.step);
  var key = vec2u(p.seedLo, p.seedHi);
  for (var round = 0u; round < 10u; round++) {
    let high0 = highWord(c.x, 0xd2511f53u); let low0 = c.x * 0xd2511f53u;
    let high1 = highWord(c.z, 0xcd9e8d57u); let low1 = c.z * 0xcd9e8d57u;
    c = vec4u(high1 ^ c.y ^ key.x, low1, high0 ^ c.w ^ key.y, low0);
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  for (var j = 0u; j < 4u; j++) {
    if (first + j < p.count) { out_put(first + j, f32(c[j] >> 8u) * 5.9604644775390625e-8); }
  }`,
});

export function philoxRows(host: KernelHost): Pick<KernelTable, "philoxUniform"> {
  return {
    philoxUniform({ seedLo, seedHi, step, m, use }, out: TensorView): void {
      const count = numElements(out.shape);
      const params = { count, seedLo, seedHi, step, m, draw: use };
      host.launch(philox, { out }, params, { groups: groupsOf(Math.ceil(count / 4)) });
    },
  };
}
