/**
 * @file Several metrics by name, as a job has them: their states in one piece, and their values.
 *
 * The bytes are, for each metric in the order of the names' first mention, a u32 length (little-endian) and its state.
 */
import { FormatError, ValueError } from "../errors.js";
import type { Metric } from "./metric.js";

/** Metrics whose value is a number. */
// biome-ignore lint/suspicious/noExplicitAny: what a metric is updated with is known to who updates it.
export type NamedMetrics = Readonly<Record<string, Metric<any, number>>>;

/** Forgets everything and begins a part in each. */
export function beginPart(metrics: NamedMetrics, index: number): void {
  for (const metric of Object.values(metrics)) metric.reset().startPart(index);
}

/** The states of all, in one piece. */
export function namedStates(metrics: NamedMetrics): Uint8Array {
  const states = Object.values(metrics).map((metric) => metric.state());
  const bytes = new Uint8Array(states.reduce((sum, { length }) => sum + 4 + length, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const state of states) {
    view.setUint32(offset, state.length, true);
    bytes.set(state, offset + 4);
    offset += 4 + state.length;
  }
  return bytes;
}

/** Merges what `namedStates` of metrics of the same names gave. @throws {FormatError} E_METRIC_STATE. */
export function mergeNamedStates(metrics: NamedMetrics, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  for (const [name, metric] of Object.entries(metrics)) {
    const length = offset + 4 <= bytes.byteLength ? view.getUint32(offset, true) : Number.POSITIVE_INFINITY;
    if (offset + 4 + length > bytes.byteLength) {
      throw new FormatError(
        `metrics: the states end before that of "${name}" does; there must be one for each of ${Object.keys(metrics).join(", ")}. Let all workers run the same job.`,
        { name, byteLength: bytes.byteLength },
        "E_METRIC_STATE",
      );
    }
    metric.merge(bytes.subarray(offset + 4, offset + 4 + length));
    offset += 4 + length;
  }
}

/** The value of each. @throws {ValueError} E_METRIC_NOT_FINITE, naming the metric; what compute() throws. */
export function namedValues(metrics: NamedMetrics): Record<string, number> {
  return Object.fromEntries(
    Object.entries(metrics).map(([name, metric]) => {
      const value = metric.compute();
      if (typeof value === "number" && Number.isFinite(value)) return [name, value];
      throw new ValueError(
        `metrics: "${name}" (${metric.name}) is ${String(value)}; it must be a finite number. Average over the classes, or look at the model's outputs.`,
        { name, value },
        "E_METRIC_NOT_FINITE",
      );
    }),
  );
}

/** The values of all parts together: what an evaluation that was shared out comes to. The metrics are reset first. */
export function valuesOfStates(metrics: NamedMetrics, states: readonly Uint8Array[]): Record<string, number> {
  for (const metric of Object.values(metrics)) metric.reset();
  for (const state of states) mergeNamedStates(metrics, state);
  return namedValues(metrics);
}
