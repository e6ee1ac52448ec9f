/**
 * @file A stream of random numbers with a position that can be saved: initial weights, text generation, tokenizer training.
 *
 * Word i of a stream is word i mod 4 of the Philox block (seed; i / 4, stream). Micro-batches draw from other counters (their
 * fourth word is the step, here it is 2^32 - 1), so the two never meet.
 */
import { ValueError } from "../errors.js";
import { exp } from "../scalar-math/exp.js";
import { log } from "../scalar-math/log.js";
import { cos, sin } from "../scalar-math/trig.js";
import { philox4x32 } from "./philox.js";
import { seedWords } from "./seed.js";

/** Everything a generator is. Plain JSON. */
export interface GeneratorState {
  readonly seed: number;
  readonly stream: number;
  /** Words drawn so far. */
  readonly position: number;
}

export interface GeneratorOptions {
  /** u32; streams of one seed are independent. Default 0. */
  readonly stream?: number;
  /** Words to skip. Default 0. */
  readonly position?: number;
}

const streamMark = 0xffffffff;
const inverse24 = 5.9604644775390625e-8;
const inverse32 = 2.3283064365386963e-10;
const inverse53 = 1.1102230246251565e-16;
const twoPi = 6.283185307179586;
const twoTo32 = 4294967296;

/**
 * Counter-based generator: cheap to make, to copy and to save.
 *
 * @numerics The same numbers on every engine.
 * @throws {ValueError} E_SEED, E_VALUE for a seed, stream or position out of range.
 * @source none: ours, over Philox 4x32-10; normal numbers by Box and Muller 1958.
 * @example
 * new Generator(7).integer(6) === new Generator(7).integer(6); // => true
 */
export class Generator {
  readonly seed: number;
  readonly stream: number;
  readonly #key: readonly [number, number];
  readonly #block = new Uint32Array(4);
  #blockIndex = -1;
  #position: number;

  constructor(seed: number, options: GeneratorOptions = {}) {
    const { stream = 0, position = 0 } = options;
    this.#key = seedWords(seed, "Generator");
    if (stream >>> 0 !== stream) {
      throw new ValueError(`Generator: stream is ${stream}; it must be a whole number in 0..4294967295.`, { stream });
    }
    if (!Number.isSafeInteger(position) || position < 0) {
      throw new ValueError(
        `Generator: position is ${position}; it must be a whole number in 0..${Number.MAX_SAFE_INTEGER}.`,
        { position },
      );
    }
    this.seed = seed;
    this.stream = stream;
    this.#position = position;
  }

  /** Goes on where `state` was taken. */
  static fromState(state: GeneratorState): Generator {
    return new Generator(state.seed, { stream: state.stream, position: state.position });
  }

  state(): GeneratorState {
    return { seed: this.seed, stream: this.stream, position: this.#position };
  }

  /** The next 32 random bits, as u32. */
  nextWord(): number {
    const blockIndex = Math.floor(this.#position / 4);
    if (blockIndex !== this.#blockIndex) {
      const counter = [blockIndex >>> 0, Math.floor(blockIndex / twoTo32), this.stream, streamMark] as const;
      philox4x32(this.#key, counter, this.#block);
      this.#blockIndex = blockIndex;
    }
    return this.#block[this.#position++ % 4]!;
  }

  /** Uniform f64 in [0, 1), 53 bits. Draws two words. */
  uniform(): number {
    const high = this.nextWord() >>> 5;
    return (high * 67108864 + (this.nextWord() >>> 6)) * inverse53;
  }

  /** Standard normal f64. Draws two words. */
  normal(): number {
    const [radius, angle] = this.#polar();
    return radius * cos(angle);
  }

  /**
   * Gamma-distributed f64 of mean `shape`. Draws a number of words that is not fixed.
   * @throws {ValueError} E_VALUE unless shape is finite and > 0.
   * @source Marsaglia and Tsang 2000, with their power of a uniform number for shapes below 1.
   */
  gamma(shape: number): number {
    return exp(this.#logGamma("gamma", ["shape", shape]));
  }

  /**
   * Beta-distributed f64 in [0, 1]: the share of one gamma number in the sum of two, by logarithms, so that small shapes give no 0 / 0.
   * @throws {ValueError} E_VALUE unless both shapes are finite and > 0.
   */
  beta(a: number, b: number): number {
    const logX = this.#logGamma("beta", ["a", a]);
    const logY = this.#logGamma("beta", ["b", b]);
    return 1 / (1 + exp(logY - logX));
  }

  /**
   * Uniform whole number in 0..bound-1, without bias: words from the incomplete last cycle are drawn again.
   * @throws {ValueError} E_VALUE when bound is not a whole number in 1..2^32.
   */
  integer(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > twoTo32) {
      throw new ValueError(`Generator.integer: bound is ${bound}; it must be a whole number in 1..4294967296.`, {
        bound,
      });
    }
    const limit = twoTo32 - (twoTo32 % bound);
    let word = this.nextWord();
    while (word >= limit) word = this.nextWord();
    return word % bound;
  }

  /** The numbers 0..length-1 in random order (Fisher and Yates). For long lists see keyedPermutation, which needs no list. */
  permutation(length: number): Uint32Array {
    if (!Number.isInteger(length) || length < 0 || length >= twoTo32) {
      throw new ValueError(`Generator.permutation: length is ${length}; it must be a whole number in 0..4294967295.`, {
        length,
      });
    }
    const order = Uint32Array.from({ length }, (_, i) => i);
    for (let i = length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const swapped = order[i]!;
      order[i] = order[j]!;
      order[j] = swapped;
    }
    return order;
  }

  /** Fills with uniform numbers of 24 random bits in [low, high); rounding to f32 may give high itself. One word each. */
  fillUniform(out: Float32Array, low = 0, high = 1): void {
    const width = high - low;
    for (let i = 0; i < out.length; i++) out[i] = low + width * ((this.nextWord() >>> 8) * inverse24);
  }

  /** Fills with normal numbers, rounded to f32. Two words a pair; of an odd length's last pair the second is dropped. */
  fillNormal(out: Float32Array, mean = 0, std = 1): void {
    for (let i = 0; i < out.length; i += 2) {
      const [radius, angle] = this.#polar();
      out[i] = mean + std * (radius * cos(angle));
      if (i + 1 < out.length) out[i + 1] = mean + std * (radius * sin(angle));
    }
  }

  /** Log of a gamma number. */
  #logGamma(where: string, [name, shape]: readonly [string, number]): number {
    if (!(Number.isFinite(shape) && shape > 0)) {
      throw new ValueError(`Generator.${where}: ${name} is ${shape}; it must be a finite number > 0.`, {
        [name]: shape,
      });
    }
    if (shape < 1) return this.#logGamma(where, [name, shape + 1]) + log(1 - this.uniform()) / shape;
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const root = 1 + c * x;
      if (root <= 0) continue;
      const v = root * root * root;
      if (log(1 - this.uniform()) < 0.5 * x * x + d * (1 - v + log(v))) return log(d * v);
    }
  }

  /** Radius and angle of a normal point in the plane. */
  #polar(): [radius: number, angle: number] {
    const u = (this.nextWord() + 1) * inverse32;
    return [Math.sqrt(-2 * log(u)), this.nextWord() * inverse32 * twoPi];
  }
}
