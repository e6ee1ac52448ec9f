/** @file The curves of a run, each from the lines of its steps. */
import { formatBytes } from "../terminal/format.js";
import { lineChart, type Series, type StepMark } from "./line-chart.js";
import { html, type Markup } from "./markup.js";
import type { RunLog, StepLine } from "./run-log.js";
import { type Point, smoothPoints } from "./thin-points.js";

type Range = readonly [number, number];

/** Loss, metrics, rate, gradient, throughput, times and workers. Charts without a value are left out. */
export function curves({ steps, events }: Pick<RunLog, "steps" | "events">): Markup {
  const range: Range = [steps[0]!.step, steps.at(-1)!.step];
  const marks: StepMark[] = events
    .filter(({ type }) => ["left", "evicted", "banned"].includes(type))
    .map(({ step, reason }) => ({ step, text: `after step ${step}: ${reason}`, kind: "bad" }));
  return html`<section id="curves"><h2>Curves</h2>
${lossChart(steps, { range, marks })}
<div class="grid">${metricCharts(steps, range)}${[
    single("Learning rate", range, [seriesOf("learning rate", 2, steps, "learningRate")]),
    single(
      "Gradient norm",
      range,
      noisy(
        "norm before clipping",
        4,
        pointsOf(steps, ({ gradNorm }) => gradNorm),
      ),
    ),
    throughput(steps, { range, marks }),
    times(steps, { range, marks }),
    workers(steps, range),
    traffic(steps, range),
  ]}</div></section>`;
}

function lossChart(steps: readonly StepLine[], options: { range: Range; marks: readonly StepMark[] }): Markup {
  const train = pointsOf(steps, ({ loss }) => loss);
  const heldOut = pointsOf(steps, ({ evalLoss }) => evalLoss);
  return lineChart({
    ...options,
    title: "Loss",
    isWide: true,
    series: [...noisy("training", 1, train), { name: "held out", tone: 3, points: heldOut, style: "dots" }],
    note: [
      train.length > noisyFrom
        ? `Training: one value a step (thin), and its average over about ${spanOf(train)} steps.`
        : "",
      heldOut.length === 0 ? "The run has not evaluated its held-out data." : "",
      options.marks.length > 0 ? "Dashed lines: a worker was lost." : "",
    ]
      .filter(Boolean)
      .join(" "),
  });
}

/** A chart a metric that was measured more than once. */
function metricCharts(steps: readonly StepLine[], range: Range): readonly (Markup | undefined)[] {
  const names = [...new Set(steps.flatMap(({ metrics }) => Object.keys(metrics ?? {})))];
  return names.map((name) => {
    const points = pointsOf(steps, ({ metrics }) => metrics?.[name]);
    return points.length > 1 ? single(name, range, [{ name: "held out", tone: 3, points, style: "dots" }]) : undefined;
  });
}

function throughput(
  steps: readonly StepLine[],
  options: { range: Range; marks: readonly StepMark[] },
): Markup | undefined {
  const unit = steps.some(({ tokensPerSec }) => typeof tokensPerSec === "number") ? "tokens" : "samples";
  const key = unit === "tokens" ? "tokensPerSec" : "samplesPerSec";
  return single(
    "Throughput",
    options.range,
    noisy(
      `${unit}/s`,
      3,
      pointsOf(steps, (line) => line[key]),
    ),
    {
      fromZero: true,
      marks: options.marks,
    },
  );
}

function times(steps: readonly StepLine[], options: { range: Range; marks: readonly StepMark[] }): Markup | undefined {
  const points = {
    step: pointsOf(steps, ({ stepMs }) => stepMs),
    compute: pointsOf(steps, ({ computeMs }) => computeMs),
    exchange: pointsOf(steps, ({ commMs }) => commMs),
  };
  const smooth = (name: string, tone: Series["tone"], values: readonly Point[]): Series => ({
    name,
    tone,
    points: values.length > noisyFrom ? smoothPoints(values, spanOf(values)) : values,
    last: values.at(-1)?.y,
  });
  const series = [
    smooth("step", 5, points.step),
    smooth("compute", 1, points.compute),
    smooth("exchange", 2, points.exchange),
  ];
  return single("Time of a step", options.range, series, {
    unit: points.step.length > noisyFrom ? `ms, averaged over about ${spanOf(points.step)} steps` : "ms",
    fromZero: true,
    marks: options.marks,
    note: "Exchange overlaps with computing, so the two may add up to more than the step.",
  });
}

function workers(steps: readonly StepLine[], range: Range): Markup | undefined {
  const points = pointsOf(steps, ({ worldSize }) => worldSize);
  const marks: StepMark[] = steps.flatMap(({ step, generation }, i) => {
    const before = steps[i - 1]?.generation;
    if (i === 0 || generation === before) return [];
    return [{ step, text: `step ${step}: generation ${String(generation)} begins`, kind: "plain" as const }];
  });
  return single("Workers", range, [{ name: "workers", tone: 5, points, style: "stairs" }], {
    fromZero: true,
    isCount: true,
    marks,
    ...(marks.length === 0 ? {} : { note: "Lines: another generation begins." }),
  });
}

function traffic(steps: readonly StepLine[], range: Range): Markup | undefined {
  const points = pointsOf(steps, ({ bytesSent }) => bytesSent);
  const total = points.reduce((sum, { y }) => sum + y, 0);
  if (total === 0) return undefined;
  return single("Bytes sent in a step", range, [{ name: "by all workers", tone: 2, points }], {
    fromZero: true,
    note: `${formatBytes(total)} in all.`,
  });
}

type SingleOptions = Omit<Parameters<typeof lineChart>[0], "title" | "range" | "series">;

function single(
  title: string,
  range: Range,
  series: readonly Series[],
  options: SingleOptions = {},
): Markup | undefined {
  if (series.every(({ points }) => points.length === 0)) return undefined;
  return lineChart({ title, range, series, ...options });
}

/** Curves longer than this are shown with their average. */
const noisyFrom = 60;

function spanOf(points: readonly Point[]): number {
  return Math.max(5, Math.round(points.length / 40));
}

function noisy(name: string, tone: Series["tone"], points: readonly Point[]): Series[] {
  if (points.length <= noisyFrom) return [{ name, tone, points }];
  return [
    { name: `${name}, each step`, tone, points, style: "faint" },
    { name, tone, points: smoothPoints(points, spanOf(points)), last: points.at(-1)!.y },
  ];
}

function seriesOf(name: string, tone: Series["tone"], steps: readonly StepLine[], key: "learningRate"): Series {
  return { name, tone, points: pointsOf(steps, (line) => line[key]) };
}

function pointsOf(steps: readonly StepLine[], pick: (line: StepLine) => number | null | undefined): Point[] {
  return steps.flatMap((line) => {
    const y = pick(line);
    return typeof y === "number" ? [{ x: line.step, y }] : [];
  });
}
