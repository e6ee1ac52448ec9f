/** @file The whole report as one file: no script, no address of anything outside it. */
import { curves } from "./curves.js";
import { configuration, figures } from "./facts.js";
import { html, Markup } from "./markup.js";
import { pageStyle } from "./page-style.js";
import type { RunLog } from "./run-log.js";
import { timeline } from "./timeline.js";

export interface PageParts {
  readonly log: RunLog;
  /** How the reader knows the run. */
  readonly shown: string;
  /** What is shown of the model. */
  readonly model?: Markup | undefined;
  /** What the reader must know beside the log's notes. */
  readonly notes?: readonly string[];
}

export function reportPage({ log, shown, model, notes = [] }: PageParts): string {
  const started = log.events[0]?.time;
  const title = `${log.config.name}: ${shown}`;
  const events = timeline(log.events);
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${title}</title><link rel="icon" href="data:,"><style>${new Markup(pageStyle)}</style></head><body><main>
<header><h1>${log.config.name}</h1><p class="dim">${shown}, seed ${log.config.seed}, numeric class ${log.config.numeric}, lockstep ${log.config.version}${started && `, begun ${started.replace("T", " ").slice(0, 16)} UTC`}</p>
<nav><a href="#curves">Curves</a>${model && html`<a href="#model">Model</a>`}${events && html`<a href="#events">Workers and events</a>`}<a href="#configuration">Configuration</a></nav></header>
${[...log.notes, ...notes].map((note) => html`<p class="notice">${note}</p>`)}
${figures(log)}
${curves(log)}
${model}
${events}
${configuration(log)}
</main></body></html>
`.text;
}
