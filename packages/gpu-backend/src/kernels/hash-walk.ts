/** @file What the hash kernels share: one accumulator's walk over every 16th word of a view. @source core/src/hash/hash128.ts */
import { hashPrimes, stripeWords } from "@lockstep/core/backend";

/** Words of an accumulator that are loaded together. */
const numAhead = 8;
const ahead = Array.from({ length: numAhead }, (_, k) => k);

export const mixed = `
fn mixed(a: u32, word: i32) -> u32 {
  let sum = a + bitcast<u32>(word) * ${hashPrimes[1]}u;
  return ((sum << 13u) | (sum >> 19u)) * ${hashPrimes[0]}u;
}`;

/** `fn NAME(start: u32, first: u32, end: u32, before: u32) -> u32`: the accumulator after words first, first + 16, ... below end of what `at` reads. */
export function walkFunction(name: string, at: string): string {
  return `
fn ${name}(start: u32, first: u32, end: u32, before: u32) -> u32 {
  var a = before;
  var i = first;
  for (; i + ${(numAhead - 1) * stripeWords}u < end; i += ${numAhead * stripeWords}u) {
${ahead.map((k) => `    let w${k} = ${at}(start + i + ${k * stripeWords}u);`).join("\n")}
${ahead.map((k) => `    a = mixed(a, w${k});`).join("\n")}
  }
  for (; i < end; i += ${stripeWords}u) { a = mixed(a, ${at}(start + i)); }
  return a;
}`;
}
