/**
 * @file A profile as a Chrome trace, which chrome://tracing and ui.perfetto.dev open. Pure.
 *
 * Two tracks: JavaScript (spans, ops in them, launches in those), and the GPU's kernels. The device's clock has another origin: it is moved so
 * that no submit's first kernel begins before it was submitted, as little as that takes.
 *
 * @source Trace Event Format, Google 2016: complete events ("X"), counters ("C"), metadata ("M"); times in microseconds.
 */
import type { SubmittedLaunches } from "./launch-times.js";
import type { OpRecord, SpanRecord } from "./records.js";

export interface TraceEvent {
  readonly name: string;
  readonly ph: "X" | "C" | "M";
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly args?: Readonly<Record<string, unknown>>;
}

export interface ChromeTrace {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: "ms";
  readonly otherData: Readonly<Record<string, unknown>>;
}

export interface TraceSource {
  readonly spans: readonly SpanRecord[];
  readonly ops: readonly OpRecord[];
  readonly submits: readonly SubmittedLaunches[];
  /** What the file says of itself: the job, the adapter. */
  readonly about: Readonly<Record<string, unknown>>;
}

const pid = 1;
const javaScriptTrack = 1;
const deviceTrack = 2;

export function chromeTrace({ spans, ops, submits, about }: TraceSource): ChromeTrace {
  const startMs = Math.min(...spans.map((span) => span.startMs), ...ops.slice(0, 1).map((op) => op.startMs));
  // Whole nanoseconds, so that what ends where another begins does so in the file.
  const us = (ms: number): number => Math.round((ms - startMs) * 1e6) / 1000;
  const complete = (name: string, cat: string, times: { readonly startMs: number; readonly endMs: number }) => {
    const ts = us(times.startMs);
    const dur = Math.round(1000 * (us(times.endMs) - ts)) / 1000;
    return { name, cat, ph: "X", pid, tid: javaScriptTrack, ts, dur } as const;
  };
  const events: TraceEvent[] = [
    named("process_name", 0, "lockstep profile"),
    named("thread_name", javaScriptTrack, "JavaScript"),
    ...(submits.length > 0 ? [named("thread_name", deviceTrack, "GPU")] : []),
    ...spans.map((span) => complete(span.name, "span", span)),
  ];
  for (const op of ops) {
    const { flops, readBytes, writtenBytes } = op;
    events.push({ ...complete(op.op, "op", op), args: { flops, readBytes, writtenBytes } });
    for (const launch of op.launches) events.push(complete(`launch ${launch.kernel}`, "launch", launch));
    const ts = us(op.endMs);
    events.push({ name: "bytes held", ph: "C", pid, tid: javaScriptTrack, ts, args: { bytes: op.usedBytes } });
  }
  const offsetMs = deviceOffsetMs(submits);
  // Passes may overlap by a little; slices of one track may not.
  let freeMs = Number.NEGATIVE_INFINITY;
  for (const { launches } of submits) {
    for (const { kernel, device, readBytes, writtenBytes } of launches) {
      if (device === undefined) continue;
      const endMs = Math.max(freeMs, device.endMs + offsetMs);
      const times = { startMs: Math.max(freeMs, device.beginMs + offsetMs), endMs };
      freeMs = endMs;
      events.push({ ...complete(kernel, "kernel", times), tid: deviceTrack, args: { readBytes, writtenBytes } });
    }
  }
  return { traceEvents: events, displayTimeUnit: "ms", otherData: about };
}

/** What to add to the device's times to have them on the clock of JavaScript. */
export function deviceOffsetMs(submits: readonly SubmittedLaunches[]): number {
  let offset = Number.NEGATIVE_INFINITY;
  for (const { submitMs, launches } of submits) {
    const first = launches.find(({ device }) => device !== undefined)?.device;
    if (first !== undefined) offset = Math.max(offset, submitMs - first.beginMs);
  }
  return Number.isFinite(offset) ? offset : 0;
}

function named(name: string, tid: number, value: string): TraceEvent {
  return { name, ph: "M", pid, tid, args: { name: value } };
}
