/**
 * @file What a person or a program sees while a run goes on: one live line in a terminal, plain lines in a pipe, JSON, or nothing.
 *
 * A view only writes; it decides nothing. Lines for a person go to stdout, errors are the caller's.
 */
import pc from "picocolors";
import { pino } from "pino";
import type { LogFormat } from "../flags/common-flags.js";
import { formatCount, formatDuration } from "./format.js";

/** A line of metrics.jsonl, as far as a view reads it. */
export interface StepMetrics {
  readonly step: number;
  /** null when a lost worker took its part along. */
  readonly loss: number | null;
  readonly tokensPerSec?: number | undefined;
  readonly samplesPerSec?: number | undefined;
  readonly stepMs: number;
  readonly worldSize: number;
  readonly generation: number;
}

export interface ProgressView {
  step(metrics: StepMetrics): void;
  /** Something a person should know: a worker joined, a checkpoint was written. `fields` are for JSON. */
  note(text: string, fields?: object): void;
  warn(text: string, fields?: object): void;
  /** Takes the live line away. */
  end(): void;
}

export interface ProgressOptions {
  readonly format: LogFormat;
  readonly quiet: boolean;
  readonly lastStep: number;
  readonly stream: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
  readonly nowMs: () => number;
}

const plainLineIntervalMs = 2_000;

export function createProgressView(options: ProgressOptions): ProgressView {
  if (options.quiet) return quietView();
  if (options.format === "json") return jsonView();
  return options.stream.isTTY === true ? liveView(options) : plainView(options);
}

/** `step 120/600  loss 2.314  18.3k tokens/s  ETA 41.2s  2 workers  generation 1` */
export function describeStep(metrics: StepMetrics, lastStep: number, msPerStep: number): string {
  const rate =
    metrics.tokensPerSec === undefined
      ? `${formatCount(metrics.samplesPerSec ?? 0)} samples/s`
      : `${formatCount(metrics.tokensPerSec)} tokens/s`;
  const eta = formatDuration(Math.max(0, lastStep - metrics.step) * msPerStep);
  const workers = `${metrics.worldSize} worker${metrics.worldSize === 1 ? "" : "s"}`;
  return [
    `step ${String(metrics.step).padStart(String(lastStep).length)}/${lastStep}`,
    `loss ${metrics.loss === null ? "unknown" : metrics.loss.toFixed(4)}`,
    rate,
    `ETA ${eta}`,
    workers,
    `generation ${metrics.generation}`,
  ].join("  ");
}

function liveView({ stream, lastStep }: ProgressOptions): ProgressView {
  let line = "";
  const clear = () => {
    if (line !== "") stream.write("\r\u001b[2K");
  };
  const draw = () => stream.write(line.slice(0, (stream.columns ?? 80) - 1));
  const average = createAverage();
  const print = (text: string) => {
    clear();
    stream.write(`${text}\n`);
    if (line !== "") draw();
  };
  return {
    step(metrics) {
      clear();
      line = describeStep(metrics, lastStep, average(metrics.stepMs));
      draw();
    },
    note: (text) => print(text),
    warn: (text) => print(pc.yellow(text)),
    end() {
      if (line !== "") stream.write("\n");
      line = "";
    },
  };
}

/** The first and the last step, and between them a line every two seconds. */
function plainView({ stream, lastStep, nowMs }: ProgressOptions): ProgressView {
  let lastPrintMs = Number.NEGATIVE_INFINITY;
  const average = createAverage();
  return {
    step(metrics) {
      const msPerStep = average(metrics.stepMs);
      if (metrics.step !== lastStep && nowMs() - lastPrintMs < plainLineIntervalMs) return;
      lastPrintMs = nowMs();
      stream.write(`${describeStep(metrics, lastStep, msPerStep)}\n`);
    },
    note: (text) => void stream.write(`${text}\n`),
    warn: (text) => void stream.write(`${text}\n`),
    end() {},
  };
}

function jsonView(): ProgressView {
  const timestamp = pino.stdTimeFunctions.isoTime;
  const log = pino({ base: null, timestamp }, pino.destination({ fd: 1, sync: true }));
  const withoutTime = (fields: object) => ({ ...fields, time: undefined }); // the logger's own stands first
  return {
    step: (metrics) => log.info(metrics, "step"),
    note: (text, fields = {}) => log.info(withoutTime(fields), text),
    warn: (text, fields = {}) => log.warn(withoutTime(fields), text),
    end() {},
  };
}

function quietView(): ProgressView {
  return { step() {}, note() {}, warn() {}, end() {} };
}

/** Exponential mean over about 20 steps: steady, and still follows a change of members. */
function createAverage(): (value: number) => number {
  let mean: number | undefined;
  return (value) => {
    mean = mean === undefined ? value : mean + (value - mean) * 0.05;
    return mean;
  };
}
