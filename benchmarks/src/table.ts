import type { BenchResult } from "./bench-row.js";

/** Four significant digits are more than two noisy cores deserve. */
function figure(value: number): string {
  if (!Number.isFinite(value)) return "-";
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(4);
}

/** The results as aligned text, one row a figure. */
export function formatTable(results: readonly BenchResult[]): string {
  const header = ["suite", "name", "metric", "median", "min", "max", "unit", "peer", "peer median", "ratio"];
  const rows = results.flatMap((r) => {
    const own = [r.suite, r.name, r.metric, figure(r.median), figure(r.min), figure(r.max), r.unit];
    const peers = Object.entries(r.peers);
    if (peers.length === 0) return [[...own, "", "", ""]];
    return peers.map(([name, peer], index) => [
      ...(index === 0 ? own : own.map(() => "")),
      name,
      figure(peer.median),
      (r.ratio[name] ?? Number.NaN).toFixed(3),
    ]);
  });
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        column < 3 || column === 6 || column === 7
          ? cell.padEnd(widths[column] ?? 0)
          : cell.padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
