/**
 * @file What a suite measures and how a figure is summarised. Ratios, not absolute times, are what is compared between machines:
 * peers run alternately with ours in the same process of measuring.
 */

/** One figure of ours beside the same figure of peers, raw values of all runs. */
export interface BenchRow {
  readonly suite: string;
  readonly name: string;
  readonly metric: string;
  readonly unit: string;
  /** One value a run. Higher is better, unless the unit is a time ("us", "ms", "s") or a share of one ("%"). */
  readonly values: readonly number[];
  readonly peers?: Readonly<Record<string, readonly number[]>>;
}

/** What main hands to a suite. */
export interface BenchContext {
  /** Runs of each figure. */
  readonly runs: number;
  /** As many repetitions as a figure of the record needs, where a suite has two sizes. */
  readonly isFull: boolean;
  /** Repetitions, where a suite counts faults instead of runs; undefined for its own default. */
  readonly faults: number | undefined;
  /** Names of the models to measure, where a suite has several; empty for all. */
  readonly only: readonly string[];
  /** What the GPU's maker says it can do in f32, if it was given. */
  readonly peakTflops?: number | undefined;
  readonly nowMs: () => number;
  /** Progress, one line. */
  readonly log: (line: string) => void;
}

export type BenchSuite = (context: BenchContext) => Promise<readonly BenchRow[]>;

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

/** A row as the JSON file has it. */
export interface BenchResult extends Summary {
  readonly suite: string;
  readonly name: string;
  readonly metric: string;
  readonly unit: string;
  readonly peers: Readonly<Record<string, Summary>>;
  /** Ours / peer's for rates, peer's / ours for times: above 1 is better than the peer. */
  readonly ratio: Readonly<Record<string, number>>;
}

export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN, runs: sorted.length };
}

export function resultOf(row: BenchRow): BenchResult {
  const ours = summarize(row.values);
  const lowerIsBetter = ["us", "ms", "s", "%"].includes(row.unit);
  const peers = Object.entries(row.peers ?? {}).map(([name, values]) => [name, summarize(values)] as const);
  const ratio = peers.map(([name, peer]) => {
    return [name, lowerIsBetter ? peer.median / ours.median : ours.median / peer.median] as const;
  });
  const { suite, name, metric, unit } = row;
  return { suite, name, metric, unit, ...ours, peers: Object.fromEntries(peers), ratio: Object.fromEntries(ratio) };
}
