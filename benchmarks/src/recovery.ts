/**
 * @file How long a run stands still when something is lost: examples/02-char-gpt with M = 16 and three workers, real processes on
 * loopback, SIGKILL and SIGSTOP at random moments. Times are those of events.jsonl, written by the coordinator on this machine.
 *
 * A commit that was under way when the fault came does not count: what is measured ends with the first commit of a generation that
 * was formed after it. Writes benchmarks/reports/recovery.md.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchContext, BenchRow } from "./bench-row.js";
import { measureCoordinatorRestarts, measureFreezes, measureJoins, measureKills } from "./recovery/measure-faults.js";
import { measureSlowWorker } from "./recovery/measure-slow-worker.js";
import { describeReport, type RecoveryFigure } from "./recovery/recovery-report.js";

const report = new URL("../reports/recovery.md", import.meta.url);

export async function recovery(context: BenchContext): Promise<readonly BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), "lockstep-recovery-"));
  const kills = context.faults ?? (context.isFull ? 100 : 20);
  const others = Math.max(1, Math.min(10, Math.round(kills / 4)));
  const loadBefore = loadavg()[0]!;
  const { log } = context;
  try {
    const figures: RecoveryFigure[] = [];
    const parts = [
      () => measureKills({ folder, log, count: kills, seed: 1 }),
      () => measureFreezes({ folder, log, count: others, seed: 2 }),
      () => measureJoins({ folder, log, count: others, seed: 3 }),
      () => measureCoordinatorRestarts({ folder, log, count: others, seed: 4 }),
      () => measureSlowWorker({ folder, log }),
    ];
    // After each part, so that one that is interrupted leaves what it has.
    for (const measure of parts) {
      figures.push(...(await measure()));
      const loads = [loadBefore, loadavg()[0]!].map((load) => load.toFixed(1)).join(" to ");
      writeFileSync(
        report,
        describeReport(figures, {
          machine: `${cpus()[0]?.model ?? "unknown"}, ${cpus().length} cores, load average ${loads}`,
          node: process.version,
          commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
          command: `npm run bench -- recovery${context.isFull ? " --full" : ""}${context.faults ? ` --faults ${context.faults}` : ""}`,
        }),
      );
    }
    return figures.map(
      ({ name, metric, unit, values }): BenchRow => ({ suite: "recovery", name, metric, unit, values }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
