/** @file What a run came to and what it was told: figures at the top of a report, tables at its end. */
import { formatBytes, formatCount, formatDuration } from "../terminal/format.js";
import { shortNumber } from "./axis.js";
import { html, type Markup, type MarkupValue } from "./markup.js";
import type { RunLog } from "./run-log.js";

/** The last values of the run. Those of a run that goes on are the last lines'. */
export function figures({ summary, steps, events }: RunLog): Markup {
  const last = steps.at(-1)!;
  const evaluated = steps.findLast(({ evalLoss }) => typeof evalLoss === "number");
  const numLost = events.filter(({ type }) => ["left", "evicted", "banned"].includes(type)).length;
  const metrics = Object.entries((summary?.metrics ?? evaluated?.metrics ?? {}) as Record<string, number | null>);
  const tiles: readonly (readonly [string, string | undefined, string?])[] = [
    ["status", summary?.status ?? "no summary", summary?.status === "completed" ? "good" : "bad"],
    ["steps", String(last.step)],
    ["training loss", fixed(summary?.trainLoss ?? last.loss)],
    ["held-out loss", fixed(summary?.evalLoss ?? evaluated?.evalLoss)],
    ...metrics.map(([name, value]) => [name, fixed(value)] as const),
    ["workers", String(last.worldSize ?? "")],
    ["workers lost", numLost === 0 ? "0" : String(numLost), numLost === 0 ? "" : "bad"],
    ["samples seen", counted(summary?.samplesSeen)],
    ["time", typeof summary?.wallMs === "number" ? formatDuration(summary.wallMs) : undefined],
  ];
  return html`<dl class="tiles">${tiles
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([name, value, tone]) => html`<div class="${tone ?? ""}"><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** The configuration, the files and the summary, each key with its value. */
export function configuration({ config, summary }: RunLog): Markup {
  const run: Readonly<Record<string, unknown>> = {
    job: config.name,
    seed: config.seed,
    "numeric class": config.numeric,
    "lockstep version": config.version,
    "job sha256": config.jobSha256,
    ...(config.initFromSha256 === undefined ? {} : { "initial weights sha256": config.initFromSha256 }),
  };
  return html`<section id="configuration"><h2>Configuration and summary</h2><div class="grid">
<div class="card"><h3>Run</h3>${table(run)}</div>
<div class="card"><h3>Configuration</h3>${table(config.config)}</div>
${summary && html`<div class="card"><h3>Summary</h3>${table(summary)}</div>`}
${
  config.files.length > 0 &&
  html`<div class="card"><h3>Files</h3><table><tbody>${config.files.map(
    ({ name, path, bytes, sha256 }) =>
      html`<tr><th>${name}</th><td>${path}<br><span class="dim">${formatBytes(bytes)}, ${sha256.slice(0, 16)}…</span></td></tr>`,
  )}</tbody></table></div>`
}</div></section>`;
}

function table(fields: Readonly<Record<string, unknown>>): Markup {
  const rows = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined);
  return html`<table><tbody>${rows.map(([key, value]) => html`<tr><th>${key}</th><td>${shown(value)}</td></tr>`)}</tbody></table>`;
}

function shown(value: unknown): MarkupValue {
  if (typeof value === "string") return value;
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(8)));
  if (typeof value !== "object" || value === null || Array.isArray(value)) return JSON.stringify(value);
  return Object.entries(value).map(([key, part]) => html`${key}: ${shown(part)}<br>`);
}

function fixed(value: unknown): string | undefined {
  if (typeof value !== "number") return undefined;
  return Math.abs(value) >= 1e-3 && Math.abs(value) < 1e4 ? value.toFixed(4) : shortNumber(value);
}

function counted(value: unknown): string | undefined {
  return typeof value === "number" ? formatCount(value) : undefined;
}
