/**
 * @file Random numbers for augmentation, as pure functions of a key: whoever computes a sample again draws the same.
 *
 * Two kinds of keys. `microBatchDraws` takes the next draw of the current micro-batch, (seed, step, m, use), as dropout does: the same
 * sample differs from step to step, and L1 holds because the micro-batch is the same whoever computes it. `sampleDraws` is keyed by (seed, epoch, index)
 * and needs no training step: for iteration, tests and caches.
 */
import { type Generator, nextPhiloxKey, philox4x32, scalarMath, seedWords, ValueError } from "@lockstep/core";

/** A stream of random numbers. Core's Generator is one too. */
export type Draws = Pick<Generator, "nextWord" | "uniform" | "normal" | "integer">;

/** Changes a sample at random, drawing from `draws` alone. Does not write to its input. */
export type Augmentation<Value> = (value: Value, draws: Draws) => Value;

export interface SampleKey {
  /** Whole number in 0..2^53-1. */
  readonly seed: number;
  /** u32. */
  readonly epoch: number;
  /** u32. */
  readonly index: number;
}

/** Fourth word of the counters of samples. Steps, generators and permutations use others. */
const sampleMark = 0xfffffffd;
const twoTo32 = 4294967296;
const inverse32 = 2.3283064365386963e-10;
const inverse53 = 1.1102230246251565e-16;
const twoPi = 2 * Math.PI;

/**
 * The next draw of the current microBatchScope; a job's `data` and `loss` run in one. Each call is one `use`.
 *
 * @source Philox by Salmon et al. 2011; counters (block, use, m, step).
 */
export function microBatchDraws(): Draws {
  const { seedLo, seedHi, use, m, step } = nextPhiloxKey();
  return new PhiloxDraws([seedLo, seedHi], [use, m, step]);
}

/**
 * The draws of a sample in an epoch.
 *
 * @throws {ValueError} E_VALUE when epoch or index is no u32; E_SEED for a bad seed.
 * @source Philox by Salmon et al. 2011; counters (block, index, epoch, 2^32 - 3).
 * @example
 * sampleDraws({ seed: 7, epoch: 0, index: 3 }).nextWord() === sampleDraws({ seed: 7, epoch: 0, index: 3 }).nextWord(); // => true
 */
export function sampleDraws({ seed, epoch, index }: SampleKey): Draws {
  for (const [name, value] of Object.entries({ epoch, index })) {
    if (value >>> 0 === value) continue;
    throw new ValueError(`sampleDraws: ${name} is ${value}; it must be a whole number in 0..4294967295.`, {
      [name]: value,
    });
  }
  return new PhiloxDraws(seedWords(seed, "sampleDraws"), [index, epoch, sampleMark]);
}

/** Word i is word i mod 4 of the block with counter (i / 4, ...rest). Numbers are made of words as core's Generator makes them. */
class PhiloxDraws implements Draws {
  readonly #key: readonly [number, number];
  readonly #rest: readonly [number, number, number];
  readonly #block = new Uint32Array(4);
  #position = 0;

  constructor(key: readonly [number, number], rest: readonly [number, number, number]) {
    this.#key = key;
    this.#rest = rest;
  }

  nextWord(): number {
    if (this.#position % 4 === 0) philox4x32(this.#key, [(this.#position / 4) >>> 0, ...this.#rest], this.#block);
    return this.#block[this.#position++ % 4]!;
  }

  uniform(): number {
    const high = this.nextWord() >>> 5;
    return (high * 67108864 + (this.nextWord() >>> 6)) * inverse53;
  }

  normal(): number {
    const radius = Math.sqrt(-2 * scalarMath.log((this.nextWord() + 1) * inverse32));
    return radius * scalarMath.cos(this.nextWord() * inverse32 * twoPi);
  }

  integer(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > twoTo32) {
      throw new ValueError(`Draws.integer: bound is ${bound}; it must be a whole number in 1..4294967296.`, { bound });
    }
    const limit = twoTo32 - (twoTo32 % bound);
    let word = this.nextWord();
    while (word >= limit) word = this.nextWord();
    return word % bound;
  }
}

/** Uniform in [low, high). */
export function uniformIn(draws: Draws, [low, high]: readonly [number, number]): number {
  return low + (high - low) * draws.uniform();
}

/**
 * Calls `use` for i = 0..count-1 with normal numbers, two from each two words (of an odd count's last pair the second is dropped).
 *
 * @source Box and Muller 1958, as core's Generator.fillNormal.
 */
export function drawNormals(draws: Draws, count: number, use: (normal: number, i: number) => void): void {
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * scalarMath.log((draws.nextWord() + 1) * inverse32));
    const angle = draws.nextWord() * inverse32 * twoPi;
    use(radius * scalarMath.cos(angle), i);
    if (i + 1 < count) use(radius * scalarMath.sin(angle), i + 1);
  }
}

/** The numbers 0..length-1 in random order. @source Fisher and Yates */
export function drawPermutation(draws: Draws, length: number): number[] {
  const order = Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = draws.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** @throws {ValueError} E_AUGMENTATION unless 0 <= p <= 1. */
export function assertProbability(where: string, name: string, p: number): void {
  if (p >= 0 && p <= 1) return;
  throw new ValueError(`${where}: ${name} is ${p}; it must be in [0, 1].`, { [name]: p }, "E_AUGMENTATION");
}

/**
 * One augmentation after the other, from the same draws.
 *
 * @source torchvision.transforms.Compose
 * @example
 * chain((x, draws) => x + draws.integer(1), (x) => 2 * x)(3, new Generator(7)); // => 6
 */
export function chain<Value>(...augmentations: readonly Augmentation<Value>[]): Augmentation<Value> {
  return (value, draws) => augmentations.reduce((current, augment) => augment(current, draws), value);
}

/**
 * An augmentation with a probability, else the value as it is.
 *
 * @throws {ValueError} E_AUGMENTATION unless 0 <= p <= 1.
 * @source torchvision.transforms.RandomApply
 */
export function sometimes<Value>(p: number, augment: Augmentation<Value>): Augmentation<Value> {
  assertProbability("sometimes", "p", p);
  return (value, draws) => (draws.uniform() < p ? augment(value, draws) : value);
}
