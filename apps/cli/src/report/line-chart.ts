/** @file Curves over steps as an SVG that needs no script: values are read from the axes, or by resting the pointer on a step. */
import { roundTicks, shortNumber } from "./axis.js";
import { html, type Markup } from "./markup.js";
import { type Point, thinPoints } from "./thin-points.js";

/** Names a colour of the page's style: `--tone-1` and so on. */
export type Tone = 1 | 2 | 3 | 4 | 5;

export interface Series {
  readonly name: string;
  readonly tone: Tone;
  readonly points: readonly Point[];
  /** What the legend says. Default: the value of the last point. */
  readonly last?: number | undefined;
  /** "faint": behind another of the same tone, not in the legend; "stairs": holds its value until the next; "dots": with a dot a point. */
  readonly style?: "line" | "faint" | "stairs" | "dots";
}

/** A vertical line at a step. */
export interface StepMark {
  readonly step: number;
  readonly text: string;
  readonly kind: "bad" | "plain";
}

export interface ChartOptions {
  readonly title: string;
  readonly unit?: string;
  readonly series: readonly Series[];
  /** First and last step of all charts of the page. */
  readonly range: readonly [number, number];
  readonly marks?: readonly StepMark[];
  /** Whether 0 stands at the axis. Default false. */
  readonly fromZero?: boolean;
  /** Over the width of the page; where that is narrow, a chart of the usual size stands instead. */
  readonly isWide?: boolean;
  /** Whether values are counts: only whole numbers stand at the axis. Default false. */
  readonly isCount?: boolean;
  readonly note?: string;
}

const maxPoints = 600;
const maxHits = 160;
const margin = { left: 52, right: 12, top: 8, bottom: 22 };

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly x: (step: number) => number;
  readonly y: (value: number) => number;
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
}

/** A figure with a title, a legend and the chart. Series without points are left out. */
export function lineChart(options: ChartOptions): Markup {
  const series = options.series.filter(({ points }) => points.length > 0);
  const named = series.filter(({ style }) => style !== "faint");
  const sizes = options.isWide
    ? [frameOf(options, series), frameOf({ ...options, isWide: false }, series)]
    : [frameOf(options, series)];
  return html`<figure class="chart${options.isWide ? " wide" : ""}">
<figcaption><b>${options.title}</b>${options.unit && html` <span class="dim">${options.unit}</span>`}<span class="legend">${named.map(
    ({ name, tone, points, last = points.at(-1)!.y }) =>
      html`<span class="key"><i class="fill-${tone}"></i>${name} <b>${shortNumber(last)}</b></span>`,
  )}</span></figcaption>
${sizes.map((frame, i) => drawing(options, { frame, series, named, isSpare: i > 0 }))}${options.note && html`<p class="note">${options.note}</p>`}</figure>`;
}

interface Drawing {
  readonly frame: Frame;
  readonly series: readonly Series[];
  readonly named: readonly Series[];
  /** Shown on a narrow page only. */
  readonly isSpare: boolean;
}

function drawing({ title, marks = [] }: ChartOptions, { frame, series, named, isSpare }: Drawing): Markup {
  return html`<svg viewBox="0 0 ${frame.width} ${frame.height}" role="img" aria-label="${title} by step"${isSpare && html` class="spare"`}>
${axes(frame)}${marks.map((mark) => markLine(mark, frame))}${series.map((entry) => curve(entry, frame))}${hits(named, frame)}
</svg>`;
}

function frameOf(options: ChartOptions, series: readonly Series[]): Frame {
  const width = options.isWide ? 1120 : 550;
  const height = options.isWide ? 300 : 190;
  const values = series.flatMap(({ points }) => points.map(({ y }) => y));
  let low = values.reduce((a, b) => Math.min(a, b), options.fromZero ? 0 : Number.POSITIVE_INFINITY);
  let high = values.reduce((a, b) => Math.max(a, b), options.fromZero ? 0 : Number.NEGATIVE_INFINITY);
  if (!(high > low)) {
    const room = Math.abs(high) * 0.1 || 1;
    [low, high] = options.fromZero ? [0, high + room] : [low - room, high + room];
  }
  const pad = (high - low) * 0.04;
  const [bottom, top] = [options.fromZero ? low : low - pad, high + pad];
  const [first, last] =
    options.range[1] > options.range[0] ? options.range : [options.range[0] - 1, options.range[0] + 1];
  const inside = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
  return {
    width,
    height,
    x: (step) => rounded(margin.left + ((step - first) / (last - first)) * inside.width),
    y: (value) => rounded(margin.top + ((top - value) / (top - bottom)) * inside.height),
    xTicks: roundTicks(first, last, options.isWide ? 12 : 6).filter((tick) => Number.isInteger(tick)),
    yTicks: roundTicks(bottom, top, options.isWide ? 7 : 5).filter(
      (tick) => !options.isCount || Number.isInteger(tick),
    ),
  };
}

function axes({ width, height, x, y, xTicks, yTicks }: Frame): Markup {
  const bottom = height - margin.bottom;
  return html`<g class="axes">${yTicks.map(
    (tick) =>
      html`<line x1="${margin.left}" x2="${width - margin.right}" y1="${y(tick)}" y2="${y(tick)}"/><text x="${margin.left - 6}" y="${y(tick) + 3.5}" text-anchor="end">${shortNumber(tick)}</text>`,
  )}${xTicks.map((tick) => html`<text x="${x(tick)}" y="${bottom + 15}" text-anchor="middle">${shortNumber(tick)}</text>`)}<line class="base" x1="${margin.left}" x2="${width - margin.right}" y1="${bottom}" y2="${bottom}"/></g>`;
}

function markLine({ step, text, kind }: StepMark, { height, x }: Frame): Markup {
  return html`<line class="mark ${kind}" x1="${x(step)}" x2="${x(step)}" y1="${margin.top}" y2="${height - margin.bottom}"><title>${text}</title></line>`;
}

function curve({ name, tone, points, style = "line" }: Series, { x, y }: Frame): Markup {
  const shown = style === "stairs" ? cornersOf(points) : thinPoints(points, maxPoints);
  const path = shown.map((point, i) => `${i === 0 ? "M" : "L"}${x(point.x)} ${y(point.y)}`).join("");
  const dots = style === "dots" || shown.length === 1 ? shown : [];
  return html`<path class="curve tone-${tone}${style === "faint" ? " faint" : ""}" data-series="${name}" data-points="${shown.length}" d="${path}"/>${dots.map((point) => html`<circle class="fill-${tone}" cx="${x(point.x)}" cy="${y(point.y)}" r="3"/>`)}`;
}

/** First and last point of every stretch of equal values, joined by right angles. */
function cornersOf(points: readonly Point[]): Point[] {
  return points.flatMap((point, i) => {
    const before = points[i - 1];
    if (before === undefined || i === points.length - 1)
      return before && before.y !== point.y ? [{ x: point.x, y: before.y }, point] : [point];
    return before.y === point.y ? [] : [{ x: point.x, y: before.y }, point];
  });
}

/** Invisible columns that answer with the values of a step. */
function hits(series: readonly Series[], frame: Frame): Markup {
  const columns = thinPoints(series[0]?.points ?? [], maxHits).map(({ x }) => x);
  const bottom = frame.height - margin.bottom;
  return html`<g class="hits">${columns.map((step, i) => {
    const left = i === 0 ? margin.left : (frame.x(columns[i - 1]!) + frame.x(step)) / 2;
    const right =
      i === columns.length - 1 ? frame.width - margin.right : (frame.x(columns[i + 1]!) + frame.x(step)) / 2;
    const values = series.map(({ name, points }) => `${name} ${shortNumber(nearest(points, step).y)}`);
    return html`<rect x="${rounded(left)}" y="${margin.top}" width="${rounded(right - left)}" height="${bottom - margin.top}"><title>step ${Math.round(step)}: ${values.join(", ")}</title></rect>`;
  })}</g>`;
}

function nearest(points: readonly Point[], x: number): Point {
  let low = 0;
  let high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle]!.x <= x) low = middle;
    else high = middle;
  }
  return x - points[low]!.x <= points[high]!.x - x ? points[low]! : points[high]!;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
