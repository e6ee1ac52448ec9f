/**
 * @file A permutation of 0..size-1 that is computed position by position: no list in memory, no state to save.
 *
 * A balanced Feistel network permutes 0..4^h-1, the smallest such range that holds `size`; values outside 0..size-1 are sent through
 * again until they fall inside ("cycle walking", fewer than four passes on average).
 * @source Black and Rogaway 2002, "Ciphers with arbitrary finite domains"; the round function is ours, MurmurHash3's finaliser.
 */
import { ValueError } from "../errors.js";
import { philox4x32 } from "./philox.js";
import { seedWords } from "./seed.js";

/** A Feistel network of few bits mixes less in a round; twelve are enough for the smallest. */
const numRounds = 12;
const maxSize = 4503599627370496;

export interface KeyedPermutation {
  readonly size: number;
  /** Where position goes. @throws {ValueError} E_VALUE when it is not a whole number in 0..size-1. */
  at(position: number): number;
}

/** Which permutation: one for each seed and stream (the epoch). */
export interface PermutationKey {
  readonly seed: number;
  /** Whole number in 0..2^32-1. */
  readonly stream: number;
}

/**
 * Random permutation of 0..size-1.
 *
 * @param size whole number in 1..2^52
 * @throws {ValueError} E_VALUE, E_SEED for a size, stream or seed out of range.
 * @source Black and Rogaway 2002.
 * @example
 * keyedPermutation(1, { seed: 7, stream: 0 }).at(0); // => 0
 */
export function keyedPermutation(size: number, key: PermutationKey): KeyedPermutation {
  if (!Number.isInteger(size) || size < 1 || size > maxSize) {
    throw new ValueError(`keyedPermutation: size is ${size}; it must be a whole number in 1..${maxSize}.`, { size });
  }
  const halfBits = halfBitsFor(size);
  const roundKeys = roundKeysOf(key);
  const at = (position: number): number => {
    if (!Number.isInteger(position) || position < 0 || position >= size) {
      throw new ValueError(
        `keyedPermutation.at: position is ${position}; it must be a whole number in 0..${size - 1}.`,
        {
          position,
          size,
        },
      );
    }
    let value = encrypt(position, halfBits, roundKeys);
    while (value >= size) value = encrypt(value, halfBits, roundKeys);
    return value;
  };
  return { size, at };
}

function halfBitsFor(size: number): number {
  let halfBits = 1;
  for (let range = 4; range < size; range *= 4) halfBits += 1;
  return halfBits;
}

/** Twelve words of Philox under another mark than Generator's, so that the two share nothing. */
function roundKeysOf({ seed, stream }: PermutationKey): Uint32Array {
  const words = seedWords(seed, "keyedPermutation");
  if (stream >>> 0 !== stream) {
    throw new ValueError(`keyedPermutation: stream is ${stream}; it must be a whole number in 0..4294967295.`, {
      stream,
    });
  }
  const keys = new Uint32Array(numRounds);
  for (let block = 0; block < numRounds / 4; block++) {
    philox4x32(words, [block, stream, 0xfffffffe, 0xffffffff], keys, block * 4);
  }
  return keys;
}

function encrypt(value: number, halfBits: number, roundKeys: Uint32Array): number {
  const half = 1 << halfBits;
  let left = Math.floor(value / half);
  let right = value % half;
  for (let round = 0; round < numRounds; round++) {
    const mixed = mix(right ^ roundKeys[round]!) >>> (32 - halfBits);
    const next = (left ^ mixed) >>> 0;
    left = right;
    right = next;
  }
  return left * half + right;
}

function mix(x: number): number {
  let h = x;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
