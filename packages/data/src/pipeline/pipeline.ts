/**
 * @file Lazy steps from samples to batches, in a fixed order and with random access: sample (epoch, index) is computed when it is asked for, by
 * anyone, in any order, and is always the same.
 *
 * `dependsOn` says what a sample is a function of beside its index: "index" alone, the "epoch" (shuffle, augment with a seed) or the
 * "microBatch" that computes it. Steps that would keep the wrong thing (filter, cache) refuse what varies too much.
 */
import { keyedPermutation } from "@lockstep/core";
import { assertSamples, type Dataset } from "../dataset/dataset.js";
import { type Augmentation, microBatchDraws, sampleDraws } from "../random/draws.js";
import type { SampleRef } from "../sampler/sample-ref.js";
import { BoundedCache } from "./bounded-cache.js";
import { assertCount, pipelineError } from "./pipeline-error.js";

type Dependence = "index" | "epoch" | "microBatch";

/** Samples by place, computed when asked for. */
export interface SampleSource<Value> {
  readonly size: number;
  get(sample: SampleRef): Value;
}

/** How many samples a filter kept. */
export interface FilterCounts {
  readonly kept: number;
  readonly removed: number;
}

interface Plan<Value> {
  readonly size: number;
  readonly get: (sample: SampleRef) => Value;
  readonly dependsOn: Dependence;
  readonly filters: readonly FilterCounts[];
}

/**
 * Samples and the steps over them. A pipeline is not changed: each step answers a new one. Values must not be written to.
 *
 * @throws {ValueError} E_PIPELINE where a step cannot be: filter after shuffle, zip of unlike sizes, a count that is no whole number; E_SAMPLE
 *   for a sample that is out of range.
 * @source tf.data.Dataset, for the names. Deviations: every step but filter keeps random access, and nothing depends on what was asked before.
 * @example
 * pipelineOf([1, 2, 3, 4]).filter((x) => x > 1).map((x) => 10 * x).batch(2).toArray(); // => [[20, 30], [40]]
 */
export class Pipeline<Value> implements SampleSource<Value>, Iterable<Value> {
  readonly #plan: Plan<Value>;

  constructor(plan: Plan<Value>) {
    this.#plan = plan;
  }

  get size(): number {
    return this.#plan.size;
  }

  /** What a sample is a function of, beside its index. */
  get dependsOn(): Dependence {
    return this.#plan.dependsOn;
  }

  /** What each filter before here kept and removed, first to last. */
  get filters(): readonly FilterCounts[] {
    return this.#plan.filters;
  }

  get(sample: SampleRef): Value {
    assertSamples("Pipeline.get", [sample], this.size);
    return this.#plan.get(sample);
  }

  /** A sample of epoch 0. */
  at(index: number): Value {
    return this.get({ epoch: 0, index });
  }

  /** Each value through `fn`, which must answer the same for the same value. */
  map<Out>(fn: (value: Value, sample: SampleRef) => Out): Pipeline<Out> {
    return this.#with((sample) => fn(this.#plan.get(sample), sample), {});
  }

  /**
   * Each value through an augmentation. With a seed its draws are a function of (seed, epoch, index); without one they are the current micro-batch's,
   * (run's seed, step, m, use), which is what a job wants.
   */
  augment(augmentation: Augmentation<Value>, options: { readonly seed?: number } = {}): Pipeline<Value> {
    const { seed } = options;
    return this.#with(
      (sample) =>
        augmentation(this.#plan.get(sample), seed === undefined ? microBatchDraws() : sampleDraws({ seed, ...sample })),
      { dependsOn: seed === undefined ? "microBatch" : widest(this.dependsOn, "epoch") },
    );
  }

  /** The samples that `accept` takes. It looks at all of them now; `filters` says how many it removed. */
  filter(accept: (value: Value, index: number) => boolean): Pipeline<Value> {
    if (this.dependsOn !== "index") {
      throw pipelineError(
        "filter",
        `the samples before it change with the ${this.dependsOn}`,
        "the choice must hold for all of them. Filter before shuffle and augment.",
        { dependsOn: this.dependsOn },
      );
    }
    const places = Array.from({ length: this.size }, (_, index) => index).filter((index) =>
      accept(this.at(index), index),
    );
    const counts = { kept: places.length, removed: this.size - places.length };
    return this.#with(({ epoch, index }) => this.#plan.get({ epoch, index: places[index]! }), {
      size: places.length,
      filters: [...this.filters, counts],
    });
  }

  /** The samples at these places, in this order: one part of a split. */
  select(places: readonly number[]): Pipeline<Value> {
    for (const index of places) assertSamples("Pipeline.select", [{ epoch: 0, index }], this.size);
    return this.#with(({ epoch, index }) => this.#plan.get({ epoch, index: places[index]! }), { size: places.length });
  }

  /** A permutation for each epoch, computed place by place from (seed, epoch): no buffer, and random access stays. */
  shuffle({ seed }: { readonly seed: number }): Pipeline<Value> {
    if (this.size === 0) return this;
    let cached = { epoch: -1, permutation: keyedPermutation(this.size, { seed, stream: 0 }) };
    const placeOf = ({ epoch, index }: SampleRef): number => {
      if (cached.epoch !== epoch) cached = { epoch, permutation: keyedPermutation(this.size, { seed, stream: epoch }) };
      return cached.permutation.at(index);
    };
    return this.#with((sample) => this.#plan.get({ epoch: sample.epoch, index: placeOf(sample) }), {
      dependsOn: widest(this.dependsOn, "epoch"),
    });
  }

  /** The first `count` samples; all when there are fewer. */
  take(count: number): Pipeline<Value> {
    assertCount("take", "count", count, 0);
    return this.#with(this.#plan.get, { size: Math.min(count, this.size) });
  }

  /** All but the first `count` samples. */
  skip(count: number): Pipeline<Value> {
    assertCount("skip", "count", count, 0);
    return this.#with(({ epoch, index }) => this.#plan.get({ epoch, index: index + count }), {
      size: Math.max(0, this.size - count),
    });
  }

  /** These samples, then the other's. */
  concat(other: Pipeline<Value>): Pipeline<Value> {
    const { size } = this;
    return this.#with(
      ({ epoch, index }) =>
        index < size ? this.#plan.get({ epoch, index }) : other.get({ epoch, index: index - size }),
      {
        size: size + other.size,
        dependsOn: widest(this.dependsOn, other.dependsOn),
        filters: [...this.filters, ...other.filters],
      },
    );
  }

  /** Pairs of samples at the same place. */
  zip<Other>(other: Pipeline<Other>): Pipeline<readonly [Value, Other]> {
    if (other.size !== this.size) {
      throw pipelineError("zip", `${this.size} and ${other.size} samples`, "both must have as many. Use take.", {
        size: this.size,
        otherSize: other.size,
      });
    }
    return this.#with((sample) => [this.#plan.get(sample), other.get(sample)] as const, {
      dependsOn: widest(this.dependsOn, other.dependsOn),
      filters: [...this.filters, ...other.filters],
    });
  }

  /** Keeps the values used last, at most `maxItems` (default 1,024). Put it before augment. */
  cache({ maxItems = 1024 }: { readonly maxItems?: number } = {}): Pipeline<Value> {
    assertCount("cache", "maxItems", maxItems, 1);
    if (this.dependsOn === "microBatch") {
      throw pipelineError(
        "cache",
        "the samples before it change with the micro-batch",
        "they must not. Cache before augment.",
      );
    }
    const cache = new BoundedCache<Value>(maxItems);
    const isSame = this.dependsOn === "index";
    return this.#with(
      (sample) =>
        cache.getOrMake(isSame ? `${sample.index}` : `${sample.epoch}:${sample.index}`, () => this.#plan.get(sample)),
      {},
    );
  }

  /** Runs of `batchSize` samples. The last one is short unless `dropLast`. */
  batch(batchSize: number, { dropLast = false }: { readonly dropLast?: boolean } = {}): Pipeline<Value[]> {
    assertCount("batch", "batchSize", batchSize, 1);
    const size = dropLast ? Math.floor(this.size / batchSize) : Math.ceil(this.size / batchSize);
    return this.#with(
      ({ epoch, index }) => {
        const first = index * batchSize;
        const length = Math.min(batchSize, this.size - first);
        return Array.from({ length }, (_, i) => this.#plan.get({ epoch, index: first + i }));
      },
      { size },
    );
  }

  /** The samples of an epoch in order. */
  *epoch(epoch: number): Generator<Value, void> {
    for (let index = 0; index < this.size; index++) yield this.get({ epoch, index });
  }

  [Symbol.iterator](): Iterator<Value> {
    return this.epoch(0);
  }

  /** All samples of an epoch. */
  toArray(epoch = 0): Value[] {
    return [...this.epoch(epoch)];
  }

  /**
   * The samples of an epoch in order, `ahead` of them begun before they are asked for: for steps that answer promises (a fetch, a decoder in
   * another thread). An error comes when its sample's turn does.
   */
  async *prefetch(ahead: number, epoch = 0): AsyncGenerator<Awaited<Value>, void> {
    assertCount("prefetch", "ahead", ahead, 1);
    const begun: Promise<Awaited<Value>>[] = [];
    const begin = (index: number): void => {
      const value = new Promise<Awaited<Value>>((resolve) => {
        resolve(this.get({ epoch, index }) as Awaited<Value>);
      });
      value.catch(() => undefined); // seen when its turn comes
      begun.push(value);
    };
    let next = 0;
    while (next < this.size || begun.length > 0) {
      while (next < this.size && begun.length < ahead) begin(next++);
      yield await begun.shift()!;
    }
  }

  /**
   * A dataset for a job or a sampler: `collate` makes tensors of the values of a batch.
   *
   * @throws {ValueError} E_PIPELINE without samples.
   */
  toDataset<Batch>(collate: (values: Value[]) => Batch): Dataset<Batch> {
    if (this.size === 0) {
      const removed = this.filters.reduce((sum, counts) => sum + counts.removed, 0);
      throw pipelineError(
        "toDataset",
        `there are 0 samples; filters removed ${removed}`,
        "there must be at least one.",
        { removed },
      );
    }
    return {
      size: this.size,
      batch: (samples) => {
        assertSamples("Pipeline.batch", samples, this.size);
        return collate(samples.map((sample) => this.#plan.get(sample)));
      },
    };
  }

  #with<Out>(get: (sample: SampleRef) => Out, changes: Partial<Omit<Plan<Out>, "get">>): Pipeline<Out> {
    const { size, dependsOn, filters } = this.#plan;
    return new Pipeline<Out>({ size, dependsOn, filters, ...changes, get });
  }
}

function widest(a: Dependence, b: Dependence): Dependence {
  const order: readonly Dependence[] = ["index", "epoch", "microBatch"];
  return order[Math.max(order.indexOf(a), order.indexOf(b))]!;
}
