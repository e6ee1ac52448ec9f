/**
 * @file A fast 128-bit hash that finds differing bits. Not cryptographic: files use sha256.
 *
 * 16 accumulators of 32 bits. Each stripe of 64 bytes is 16 little-endian words w[i]:
 * a[i] = rotl(a[i] + w[i] * P2, 13) * P1. A last, shorter stripe is padded with zeros; the byte length is mixed in at the end.
 * cpu/kernels/hash.ts is the same on SIMD lanes.
 * @source The round of xxHash32 (Y. Collet) on 16 lanes; finalisation by murmur3's fmix32 (A. Appleby). The digits are our own.
 */

export const prime1 = 0x9e3779b1;
export const prime2 = 0x85ebca77;
/** Of the rounds: the factor after the rotation, and that of a word. */
export const hashPrimes = [prime1, prime2] as const;
const prime3 = 0xc2b2ae3d;
/** Accumulator i begins as (i + 1) times this, xor the first of `hashPrimes`. */
export const initialFactor = prime3;
export const stripeBytes = 64;
export const stripeWords = 16;

/** The accumulators before the first stripe. */
export function initialLanes(): Int32Array {
  return Int32Array.from({ length: stripeWords }, (_, i) => Math.imul(i + 1, prime3) ^ prime1);
}

/** One stripe: 16 words from `start` on. */
function mixStripe(lanes: Int32Array, words: Int32Array, start: number): void {
  for (let i = 0; i < stripeWords; i++) {
    const sum = ((lanes[i] ?? 0) + Math.imul(words[start + i] ?? 0, prime2)) | 0;
    lanes[i] = Math.imul((sum << 13) | (sum >>> 19), prime1);
  }
}

function finalMix(x: number): number {
  let h = x;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** 32 hex digits of the accumulators after the last stripe. */
export function finishHash(lanes: Int32Array, byteLength: number): string {
  const low = byteLength | 0;
  const high = Math.floor(byteLength / 4_294_967_296) | 0;
  const words = [low ^ prime1, high ^ prime2, Math.imul(low, prime3), Math.imul(high, prime1) ^ prime3];
  for (let i = 0; i < stripeWords; i++) {
    const w = i & 3;
    words[w] = finalMix(Math.imul((words[w] ?? 0) ^ (lanes[i] ?? 0), prime1) + (words[(w + 1) & 3] ?? 0));
  }
  // Every word comes to depend on every lane.
  for (let i = 0; i < 8; i++) {
    const w = i & 3;
    words[w] = finalMix((words[w] ?? 0) + Math.imul(words[(w + 3) & 3] ?? 0, prime2) + i);
  }
  return words.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

/** The hash of `numWords` words of 32 bits, of which each accumulator has taken its own; a last, shorter stripe is padded here. */
export function finishLanes(lanes: Int32Array, numWords: number): string {
  const filled = numWords % stripeWords;
  const padded = lanes.slice();
  for (let i = filled === 0 ? stripeWords : filled; i < stripeWords; i++) {
    const sum = padded[i] ?? 0;
    padded[i] = Math.imul((sum << 13) | (sum >>> 19), prime1);
  }
  return finishHash(padded, 4 * numWords);
}

/** A hash of bytes that come in pieces; the same for every way of cutting them. */
export class Hash128 {
  readonly #lanes = initialLanes();
  readonly #pending = new Uint8Array(stripeBytes);
  readonly #pendingWords = new DataView(this.#pending.buffer);
  readonly #words = new Int32Array(stripeWords);
  #byteLength = 0;

  update(bytes: Uint8Array): this {
    let at = 0;
    while (at < bytes.length) {
      const filled = this.#byteLength % stripeBytes;
      const taken = Math.min(stripeBytes - filled, bytes.length - at);
      this.#pending.set(bytes.subarray(at, at + taken), filled);
      this.#byteLength += taken;
      at += taken;
      if (filled + taken === stripeBytes) this.#mixPending();
    }
    return this;
  }

  /** 32 hex digits. Call it once, last. */
  digest(): string {
    const filled = this.#byteLength % stripeBytes;
    if (filled > 0) {
      this.#pending.fill(0, filled);
      this.#mixPending();
    }
    return finishHash(this.#lanes, this.#byteLength);
  }

  #mixPending(): void {
    for (let i = 0; i < stripeWords; i++) this.#words[i] = this.#pendingWords.getInt32(4 * i, true);
    mixStripe(this.#lanes, this.#words, 0);
  }
}

/** 32 hex digits of the bytes of all parts, end to end. */
export function hash128(...parts: readonly Uint8Array[]): string {
  const hash = new Hash128();
  for (const part of parts) hash.update(part);
  return hash.digest();
}
