import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  readSummary as readAnySummary,
  readLines,
  runLockstep,
  type Summary,
  temporaryFolder,
} from "../lockstep-process.js";

afterEach(cleanUp);

const job = "tests/e2e/metrics";

interface MeasuredSummary extends Summary {
  readonly metrics: Readonly<Record<string, number>>;
}

const readSummary = (out: string) => readAnySummary(out) as MeasuredSummary;

test("L1: one and three workers measure the same bits, which stand in lines, events, summary and on the terminal", async () => {
  const folder = temporaryFolder();
  const train = async (name: string, ...flags: string[]) => {
    const out = join(folder, name);
    const { status, stdout, stderr } = await runLockstep(["run", job, "--seed", "7", "--out", out, ...flags]);
    expect(`${status} ${stderr}`).toBe("0 ");
    return { out, stdout };
  };
  const best = ["--set", "keepBestCheckpoint=true", "--set", "bestMetric=auc"];
  const one = await train("w1", "--workers", "1", "--threads", "1", ...best);
  const three = await train("w3", "--workers", "3", "--threads", "1", ...best);
  const { metrics } = readSummary(one.out);
  expect(Object.keys(metrics)).toEqual(["accuracy", "f1", "auc", "brier", "perplexity"]);
  expect(metrics.accuracy! * 30).toBeCloseTo(Math.round(metrics.accuracy! * 30), 9);
  expect(metrics.auc).toBeGreaterThan(0.5);
  expect(metrics.auc).toBeLessThanOrEqual(1);
  expect(readSummary(three.out).metrics).toEqual(metrics);

  const measured = (out: string) =>
    readLines(out, "metrics.jsonl").map(({ step, evalLoss, metrics: values }) => [step, evalLoss, values]);
  expect(measured(one.out).map(([step, , values]) => [step, values !== undefined])).toEqual(
    [1, 2, 3, 4, 5, 6].map((step) => [step, step % 2 === 0]),
  );
  expect(measured(three.out)).toEqual(measured(one.out));
  const evaluated = (out: string) => readLines(out, "events.jsonl").filter(({ type }) => type === "evaluated");
  expect(evaluated(three.out).map((event) => event.metrics)).toEqual(evaluated(one.out).map((event) => event.metrics));
  expect(evaluated(one.out).at(-1)!.metrics).toEqual(metrics);
  expect(evaluated(one.out)[0]!.isBest).toBe(true);
  expect(one.stdout).toContain(`auc ${metrics.auc!.toFixed(4)}`);

  const again = await runLockstep(["evaluate", three.out, "--json"]);
  expect(JSON.parse(again.stdout)).toEqual({ step: 6, evalLoss: readSummary(one.out).evalLoss, metrics });
}, 120_000);

test("bestMetric must name a metric of the job", async () => {
  const out = join(temporaryFolder(), "none");
  const { status, stderr } = await runLockstep(["run", job, "--out", out, "--set", "bestMetric=recall"]);
  expect(status).toBe(2);
  expect(stderr).toContain("accuracy, f1, auc, brier, perplexity");
}, 60_000);
