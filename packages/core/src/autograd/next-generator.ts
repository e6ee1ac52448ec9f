import { Generator } from "../rng/generator.js";
import { philox4x32 } from "../rng/philox.js";
import { nextPhiloxKey } from "./micro-batch-scope.js";

const twoTo32 = 4294967296;

/**
 * A generator of its own for one draw of the current micro-batch: for what needs numbers on the host, and an unknown number of them. Its seed
 * is the first 53 bits of the draw, so it gives the same numbers whoever computes the micro-batch, and however often. One `use`, as a
 * dropout mask is.
 *
 * @source none: ours
 * @example
 * const draw = () => microBatchScope({ seed: 1, step: 2, m: 3 }, () => nextGenerator().uniform());
 * draw() === draw(); // => true
 */
export function nextGenerator(): Generator {
  const { seedLo, seedHi, use, m, step } = nextPhiloxKey();
  const block = new Uint32Array(4);
  philox4x32([seedLo, seedHi], [0, use, m, step], block);
  return new Generator((block[0]! >>> 11) * twoTo32 + block[1]!);
}
