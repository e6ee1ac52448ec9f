/** Profiles of a backend: what it was asked to do, how long it took, what it could do at most. */
export { measureCpuPeak } from "./cpu-peak.js";
export { measureDevicePeak, type Peak } from "./device-peak.js";
export { Profiler, type ProfilerOptions, type TimeSource } from "./profiler.js";
export type { LaunchRecord, OpRecord, SpanRecord } from "./records.js";
export { type OpLine, type ProfileLine, type ProfileSummary, summarise } from "./summary.js";
export { type ChromeTrace, chromeTrace, type TraceEvent } from "./trace-events.js";
