import { ValueError } from "../errors.js";
import { treeSplit } from "../train/tree-order.js";
import { decodeMetricState, encodeMetricState } from "./metric-state.js";

/** What one update adds to a metric. */
export interface Measure {
  /** Exact integers by key. */
  readonly counts?: Iterable<readonly [key: number, count: number]>;
  /** f64, always the same number of them. */
  readonly sums?: readonly number[];
  /** What must be kept whole: scores of samples, boxes of images. */
  readonly rows?: readonly (readonly number[])[];
}

/** All that a metric has seen. */
export interface Total {
  readonly counts: ReadonlyMap<number, number>;
  readonly sums: readonly number[];
  /** In the order of the parts. */
  readonly rows: readonly (readonly number[])[];
}

/** How a metric is made of its samples. Pure. */
export interface MetricRule<Args extends readonly unknown[], Value> {
  /** With the options: states of another name are refused. */
  readonly name: string;
  /** Which values are better. */
  readonly mode: "max" | "min";
  measure(...args: Args): Measure;
  /** Joins the sums of two neighbouring ranges of parts. Default: adds them one by one. */
  combine?(a: readonly number[], b: readonly number[]): readonly number[];
  value(total: Total): Value;
}

/**
 * A metric that is fed piece by piece and joined from several places, to the same bits whatever the pieces' order.
 *
 * Samples come in parts. Counts are exact integers. Sums of parts are added by the balanced tree over the parts in the order of their
 * index, and rows are gathered in that order: so the value depends on the parts alone, not on who measured which.
 *
 * @source none: ours; the tree is that of the gradient (docs/numerics.md).
 * @example
 * const [a, b] = [metrics.streaming.accuracyScore(), metrics.streaming.accuracyScore()];
 * a.startPart(0).update([0, 1], [0, 1]);
 * b.startPart(1).update([0, 1], [1, 1]);
 * a.merge(b.state()).compute(); // => 0.75
 */
export class Metric<Args extends readonly unknown[] = never, Value = unknown> {
  readonly #rule: MetricRule<Args, Value>;
  readonly #counts = new Map<number, number>();
  readonly #parts = new Map<number, { readonly sums: readonly number[]; readonly rows: (readonly number[])[] }>();
  #part: number | undefined;
  /** Index behind the last part. */
  #end = 0;

  constructor(rule: MetricRule<Args, Value>) {
    this.#rule = rule;
  }

  get name(): string {
    return this.#rule.name;
  }

  /** Whether larger or smaller values are better. */
  get mode(): "max" | "min" {
    return this.#rule.mode;
  }

  /**
   * From here on updates belong to the part of this index, for example a micro-batch. Without it each update is a part of its own, behind
   * the last.
   */
  startPart(index: number): this {
    if (!Number.isInteger(index) || index < 0) {
      throw new ValueError(
        `metric "${this.name}": the part is ${index}; it must be an integer of at least 0. Change it.`,
        { index },
      );
    }
    this.#part = index;
    return this;
  }

  /** Takes samples, as the function of the same name does. */
  update(...args: Args): this {
    const { counts = [], sums = [], rows = [] } = this.#rule.measure(...args);
    const index = this.#part ?? this.#end;
    const before = this.#parts.get(index);
    for (const [key, count] of counts) this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
    const kept = before?.rows ?? [];
    for (const row of rows) kept.push(row);
    this.#keep(index, { sums: before === undefined ? sums : this.#combine(before.sums, sums), rows: kept });
    return this;
  }

  /** What was seen so far, as bytes for `merge` of another metric with the same options. */
  state(): Uint8Array {
    return encodeMetricState(this.name, { counts: this.#counts, parts: this.#parts });
  }

  /**
   * Adds what another metric saw.
   *
   * @throws {FormatError} E_METRIC_STATE for bytes of another metric. @throws {ValueError} E_METRIC_PART when a part is there already.
   */
  merge(state: Uint8Array): this {
    const { counts, parts } = decodeMetricState(this.name, state);
    for (const index of parts.keys()) {
      if (!this.#parts.has(index)) continue;
      throw new ValueError(
        `metric "${this.name}": part ${index} is merged a second time; each part must come once. Number the parts with startPart().`,
        { index },
        "E_METRIC_PART",
      );
    }
    for (const [key, count] of counts) this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
    for (const [index, { sums, rows }] of parts) this.#keep(index, { sums, rows: [...rows] });
    return this;
  }

  /** The value over all samples. @throws {ValueError} E_METRIC_EMPTY before the first update; what the function of the same name throws. */
  compute(): Value {
    const parts = [...this.#parts].sort((a, b) => a[0] - b[0]).map(([, part]) => part);
    if (parts.length === 0) {
      throw new ValueError(
        `metric "${this.name}": it has seen no samples; compute() needs some. Call update() first.`,
        {},
        "E_METRIC_EMPTY",
      );
    }
    const fold = (lo: number, hi: number): readonly number[] => {
      if (hi - lo === 1) return parts[lo]!.sums;
      const middle = lo + treeSplit(hi - lo);
      return this.#combine(fold(lo, middle), fold(middle, hi));
    };
    return this.#rule.value({
      counts: this.#counts,
      sums: fold(0, parts.length),
      rows: parts.flatMap(({ rows }) => rows),
    });
  }

  /** Forgets everything. */
  reset(): this {
    this.#counts.clear();
    this.#parts.clear();
    this.#part = undefined;
    this.#end = 0;
    return this;
  }

  #keep(index: number, part: { readonly sums: readonly number[]; readonly rows: (readonly number[])[] }): void {
    this.#parts.set(index, part);
    this.#end = Math.max(this.#end, index + 1);
  }

  #combine(a: readonly number[], b: readonly number[]): readonly number[] {
    return this.#rule.combine?.(a, b) ?? a.map((sum, i) => sum + b[i]!);
  }
}
