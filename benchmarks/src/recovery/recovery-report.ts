/** @file Figures of the recovery suite as a Markdown report. Pure. */

export interface RecoveryFigure {
  readonly name: string;
  readonly metric: string;
  readonly unit: "ms" | "x" | "steps";
  readonly values: readonly number[];
  /** What it must reach, in words, and whether it did. */
  readonly goal?: { readonly text: string; readonly isMet: boolean };
}

export interface ReportHead {
  readonly machine: string;
  readonly node: string;
  readonly commit: string;
  readonly command: string;
}

/** The value that `share` of all values do not exceed (nearest rank). */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function describeReport(figures: readonly RecoveryFigure[], head: ReportHead): string {
  const rows = figures.map(({ name, metric, unit, values, goal }) => {
    const digits = unit === "x" ? 2 : 0;
    const cells = [0.5, 0.95, 1].map((share) => quantile(values, share).toFixed(digits));
    const verdict = goal === undefined ? "" : `${goal.text}: ${goal.isMet ? "met" : "not met"}`;
    return `| ${[name, metric, unit, ...cells, String(values.length), verdict].join(" | ")} |`;
  });
  return `${[
    "# Recovery",
    "",
    `Written by \`${head.command}\` at ${head.commit}, ${head.machine}, Node ${head.node}.`,
    "",
    "`examples/02-char-gpt` with 16 micro-batches; three workers of one thread unless said; real processes on loopback. From the signal to",
    "the first commit of a generation formed after it, by the times in `events.jsonl`.",
    "",
    "| what | figure | unit | p50 | p95 | worst | n | goal |",
    "|---|---|---|--:|--:|--:|--:|---|",
    ...rows,
  ].join("\n")}\n`;
}
