/** @file What a profile comes to: a line for each op, and for each kernel of an op. Pure. */
import type { Peak } from "./device-peak.js";
import type { LaunchRecord, OpRecord } from "./records.js";

/** Figures of an op or of a kernel within one, over the whole profile. */
export interface ProfileLine {
  readonly name: string;
  /** Calls of an op; launches of a kernel. */
  readonly count: number;
  /** Undefined where it could not be measured. */
  readonly totalMs: number | undefined;
  readonly medianMs: number | undefined;
  /** Of the time of all ops. */
  readonly share: number | undefined;
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** Undefined for a kernel that shares the work of its op with others. */
  readonly flops: number | undefined;
  readonly bytesPerSecond: number | undefined;
  readonly flopsPerSecond: number | undefined;
  /** Of the measured peak. */
  readonly bytesShare: number | undefined;
  readonly flopsShare: number | undefined;
}

export interface OpLine extends ProfileLine {
  /** On the CPU, where ops are calls: none. */
  readonly numLaunches: number;
  readonly kernels: readonly ProfileLine[];
}

export interface ProfileSummary {
  /** From the longest to the shortest. */
  readonly lines: readonly OpLine[];
  readonly numLaunches: number;
  /** Of all ops. */
  readonly totalMs: number;
  /** Launches whose time is not known although the device tells times. */
  readonly numUntimed: number;
}

interface Timed {
  readonly ms: number | undefined;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly flops: number | undefined;
}

/** @param isDevice whether ops are made of launches. */
export function summarise(ops: readonly OpRecord[], peak: Peak, isDevice: boolean): ProfileSummary {
  const timed = ops.map((op) => ({ op, ms: isDevice ? deviceMsOf(op) : op.endMs - op.startMs }));
  const totalMs = timed.reduce((sum, { ms }) => sum + (ms ?? 0), 0);
  const context = { totalMs, peak };
  const lines = [...groupedBy(timed, ({ op }) => op.op)].map(([name, group]): OpLine => {
    const launches = group.flatMap(({ op }) => op.launches);
    const parts = group.map(({ op, ms }): Timed => ({ ms, flops: op.flops, ...bytesOf(op) }));
    return { ...lineOf(name, parts, context), numLaunches: launches.length, kernels: kernelLines(group, context) };
  });
  const launches = ops.flatMap((op) => op.launches);
  const isTimed = launches.some(({ device }) => device !== undefined);
  return {
    lines: lines.sort((x, y) => (y.totalMs ?? 0) - (x.totalMs ?? 0)),
    numLaunches: launches.length,
    totalMs,
    numUntimed: isTimed ? launches.filter(({ device }) => device === undefined).length : 0,
  };
}

interface Context {
  readonly totalMs: number;
  readonly peak: Peak;
}

interface TimedOp {
  readonly op: OpRecord;
  readonly ms: number | undefined;
}

/** A kernel has the flops of its op's calls where it alone computed them. */
function kernelLines(group: readonly TimedOp[], context: Context): ProfileLine[] {
  const launches = group.flatMap(({ op }) => {
    const isAlone = op.launches.every(({ kernel }) => kernel === op.launches[0]!.kernel);
    return op.launches.map((launch, i) => ({ launch, flops: isAlone ? (i === 0 ? op.flops : 0) : undefined }));
  });
  return [...groupedBy(launches, ({ launch }) => launch.kernel)]
    .map(([kernel, own]) => {
      const parts = own.map(({ launch, flops }): Timed => {
        return { ms: launchMs(launch), flops, readBytes: launch.readBytes, writtenBytes: launch.writtenBytes };
      });
      return lineOf(kernel, parts, context);
    })
    .sort((x, y) => (y.totalMs ?? 0) - (x.totalMs ?? 0));
}

function lineOf(name: string, parts: readonly Timed[], { totalMs: allMs, peak }: Context): ProfileLine {
  const sum = (of: (part: Timed) => number): number => parts.reduce((total, part) => total + of(part), 0);
  const times = parts.flatMap(({ ms }) => (ms === undefined ? [] : [ms]));
  const isTimed = times.length === parts.length;
  const totalMs = isTimed ? times.reduce((total, ms) => total + ms, 0) : undefined;
  const [readBytes, writtenBytes] = [sum((part) => part.readBytes), sum((part) => part.writtenBytes)];
  const flops = parts.some((part) => part.flops === undefined) ? undefined : sum((part) => part.flops!);
  const perSecond = (amount: number | undefined): number | undefined =>
    amount === undefined || totalMs === undefined || totalMs === 0 ? undefined : (1000 * amount) / totalMs;
  const [bytesPerSecond, flopsPerSecond] = [perSecond(readBytes + writtenBytes), perSecond(flops)];
  return {
    name,
    count: parts.length,
    totalMs,
    medianMs: isTimed ? medianOf(times) : undefined,
    share: totalMs === undefined || allMs === 0 ? undefined : totalMs / allMs,
    readBytes,
    writtenBytes,
    flops,
    bytesPerSecond,
    flopsPerSecond,
    bytesShare: bytesPerSecond && bytesPerSecond / peak.bytesPerSecond,
    flopsShare: flopsPerSecond && flopsPerSecond / peak.flopsPerSecond,
  };
}

/** What moved: through the launches where there are any, temporaries included; else through the op. */
function bytesOf(op: OpRecord): { readBytes: number; writtenBytes: number } {
  const { launches } = op;
  if (launches.length === 0) return op;
  return {
    readBytes: launches.reduce((sum, { readBytes }) => sum + readBytes, 0),
    writtenBytes: launches.reduce((sum, { writtenBytes }) => sum + writtenBytes, 0),
  };
}

/** An op without launches, such as a copy of nothing, takes no time on a device. */
function deviceMsOf({ launches, aloneMs }: OpRecord): number | undefined {
  if (aloneMs !== undefined) return aloneMs;
  let total = 0;
  for (const launch of launches) {
    const ms = launchMs(launch);
    if (ms === undefined) return undefined;
    total += ms;
  }
  return total;
}

function launchMs({ device }: LaunchRecord): number | undefined {
  return device === undefined ? undefined : device.endMs - device.beginMs;
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function groupedBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
