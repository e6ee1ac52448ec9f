/** @file What happened when: a lane a worker over the time of the run, and the events with their reasons. */
import { formatDuration } from "../terminal/format.js";
import { roundTicks } from "./axis.js";
import { html, type Markup } from "./markup.js";
import type { EventLine } from "./run-log.js";

const maxRows = 2_000;
const laneHeight = 20;
const plot = { left: 120, right: 12, top: 6, bottom: 24, width: 1120 };

const losses = ["left", "evicted", "banned", "failed", "outvoted"];
const minor = ["notice", "ready", "shares", "links", "late", "heard", "stopped"];

/** A stay of a worker, in ms since the first event. */
interface Stay {
  readonly workerId: string;
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** Why it ended; undefined when it was there until the end. */
  readonly end: string | undefined;
}

/** Undefined when there are no events. */
export function timeline(events: readonly EventLine[]): Markup | undefined {
  if (events.length === 0) return undefined;
  const startMs = Date.parse(events[0]!.time);
  const since = (event: EventLine): number => Date.parse(event.time) - startMs;
  const endMs = Math.max(...events.slice(-1).map(since), 1);
  const rows = events.filter(({ type }) => type !== "commit");
  const numCommits = events.length - rows.length;
  const shown = rows.slice(0, maxRows);
  return html`<section id="events"><h2>Workers and events</h2>
${lanes(staysOf(events, since, endMs), { events, since, endMs })}
<p class="note">${rows.length} events; ${numCommits} commits of steps are not listed.${rows.length > maxRows && ` The first ${maxRows} are shown.`}</p>
<div class="scroll"><table class="events"><thead><tr><th class="num">time</th><th class="num">step</th><th class="num">generation</th><th>event</th><th>reason</th></tr></thead><tbody>${shown.map(
    (event) =>
      html`<tr class="${kindOf(event.type)}"><td class="num" title="${event.time}">${formatDuration(since(event))}</td><td class="num">${event.step}</td><td class="num">${event.generation}</td><td><span class="tag">${event.type}</span></td><td>${event.reason}</td></tr>`,
  )}</tbody></table></div></section>`;
}

function kindOf(type: string): "bad" | "minor" | "good" | "plain" {
  if (losses.includes(type)) return "bad";
  if (minor.includes(type)) return "minor";
  return ["checkpoint", "evaluated", "completed"].includes(type) ? "good" : "plain";
}

function staysOf(events: readonly EventLine[], since: (event: EventLine) => number, endMs: number): Stay[] {
  const open = new Map<string, { name: string; fromMs: number }>();
  const stays: Stay[] = [];
  const close = (workerId: string, toMs: number, end: string | undefined): void => {
    const stay = open.get(workerId);
    if (stay === undefined) return;
    open.delete(workerId);
    stays.push({ workerId, ...stay, toMs, end });
  };
  for (const event of events) {
    // A coordinator that was started again knows its workers by what they say to it: earlier stays end here.
    if (event.type === "resumed") for (const workerId of [...open.keys()]) close(workerId, since(event), event.reason);
    if (event.workerId === undefined) continue;
    if (event.type === "joined") {
      close(event.workerId, since(event), "it joined again");
      open.set(event.workerId, { name: event.name ?? event.workerId, fromMs: since(event) });
    } else if (["left", "evicted", "banned"].includes(event.type)) close(event.workerId, since(event), event.reason);
  }
  for (const workerId of [...open.keys()]) close(workerId, endMs, undefined);
  return stays.sort((a, b) => a.fromMs - b.fromMs);
}

interface LaneOptions {
  readonly events: readonly EventLine[];
  readonly since: (event: EventLine) => number;
  readonly endMs: number;
}

function lanes(stays: readonly Stay[], { events, since, endMs }: LaneOptions): Markup {
  const names = [...new Set(stays.map(({ name }) => name))];
  const height = plot.top + (names.length + 1) * laneHeight + plot.bottom;
  const bottom = height - plot.bottom;
  const x = (ms: number): number =>
    Math.round((plot.left + (ms / endMs) * (plot.width - plot.left - plot.right)) * 100) / 100;
  const laneOf = (name: string): number => plot.top + names.indexOf(name) * laneHeight;
  const dots = events.filter(({ type }) => ["checkpoint", "evaluated"].includes(type));
  const generations = events.filter(({ type }) => type === "generation");
  return html`<figure class="chart wide"><figcaption><b>Workers over time</b><span class="legend"><span class="key"><i class="fill-1"></i>at work</span><span class="key"><i class="fill-bad"></i>lost</span><span class="key"><i class="fill-3"></i>checkpoint</span><span class="key"><i class="fill-4"></i>evaluation</span></span></figcaption>
<svg viewBox="0 0 ${plot.width} ${height}" role="img" aria-label="Workers over time"><g class="axes">${roundTicks(
    0,
    endMs,
    10,
  ).map(
    (tick) =>
      html`<line x1="${x(tick)}" x2="${x(tick)}" y1="${plot.top}" y2="${bottom}"/><text x="${x(tick)}" y="${bottom + 15}" text-anchor="middle">${formatDuration(tick)}</text>`,
  )}${names.map((name) => html`<text x="${plot.left - 8}" y="${laneOf(name) + 14}" text-anchor="end">${name.slice(0, 16)}</text>`)}<text x="${plot.left - 8}" y="${bottom - 6}" text-anchor="end">states</text></g>
${generations.map((event) => html`<line class="mark plain" x1="${x(since(event))}" x2="${x(since(event))}" y1="${plot.top}" y2="${bottom}"><title>${formatDuration(since(event))}: ${event.reason}</title></line>`)}
${stays.map(
  ({ name, workerId, fromMs, toMs, end }) =>
    html`<rect class="fill-1 stay" data-worker="${workerId}" x="${x(fromMs)}" y="${laneOf(name) + 4}" width="${Math.max(1, x(toMs) - x(fromMs))}" height="${laneHeight - 8}" rx="2"><title>${name} (${workerId}): ${formatDuration(fromMs)} to ${formatDuration(toMs)}${end && `, ${end}`}</title></rect>${end && html`<circle class="fill-bad" cx="${x(toMs)}" cy="${laneOf(name) + laneHeight / 2}" r="4"><title>${formatDuration(toMs)}: ${end}</title></circle>`}`,
)}${dots.map(
  (event) =>
    html`<circle class="fill-${event.type === "checkpoint" ? 3 : 4}" cx="${x(since(event))}" cy="${bottom - (event.type === "checkpoint" ? 13 : 7)}" r="3"><title>${formatDuration(since(event))}: ${event.reason}</title></circle>`,
)}</svg></figure>`;
}
