/** @file Seeds: whole numbers of up to 53 bits, as the two words of a Philox key. */
import { ValueError } from "../errors.js";

/** @throws {ValueError} E_SEED when `seed` is not a whole number in 0..2^53-1. */
export function seedWords(seed: number, where: string): [low: number, high: number] {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new ValueError(
      `${where}: seed is ${seed}; it must be a whole number in 0..${Number.MAX_SAFE_INTEGER}.`,
      { seed },
      "E_SEED",
    );
  }
  return [seed >>> 0, Math.floor(seed / 4294967296)];
}
