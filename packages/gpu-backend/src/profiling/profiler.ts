/**
 * @file Records what a backend is asked to do: ops with their times and work, and on a GPU the launches within them. The clock is the caller's.
 *
 * On the CPU an op's time is its call's. On a GPU a launch's time comes from timestamps where the device has them; where it has none, `timeAlone`
 * runs each op again, alone, and waits for it.
 */
import type { Backend, TensorView } from "@lockstep/core";
import type { WgslKernel } from "../launch/kernel.js";
import type { LaunchWatcher } from "../launch/launch-watcher.js";
import { WebGpuBackend } from "../webgpu-backend.js";
import { type AloneCall, aloneCallOf, timeAlone } from "./alone-times.js";
import { LaunchTimes, type SubmittedLaunches } from "./launch-times.js";
import type { LaunchRecord, OpRecord, SpanRecord } from "./records.js";
import { bytesOfView } from "./views.js";
import { type WatchedCall, watchOps } from "./watch-ops.js";

/** How the times of kernels were measured. */
export type TimeSource = "calls" | "timestamps" | "ops run alone";

export interface ProfilerOptions {
  readonly nowMs: () => number;
  /** Do without timestamps though the device has them: for tests. */
  readonly withoutTimestamps?: boolean;
}

/** What launches outside of any op are told under. */
const noOp = "(no op)";

export class Profiler {
  readonly timeSource: TimeSource;
  readonly ops: OpRecord[] = [];
  readonly spans: SpanRecord[] = [];
  readonly #backend: Backend;
  readonly #nowMs: () => number;
  readonly #times: LaunchTimes | undefined;
  readonly #alone = new Map<string, AloneCall>();
  readonly #open: SpanRecord[] = [];
  #current: OpRecord | undefined;
  #launch: LaunchRecord | undefined;
  #isCounted = false;
  #stop: () => void = () => {};

  constructor(backend: Backend, { nowMs, withoutTimestamps = false }: ProfilerOptions) {
    this.#backend = backend;
    this.#nowMs = nowMs;
    if (!(backend instanceof WebGpuBackend)) this.timeSource = "calls";
    else if (withoutTimestamps || !backend.features.has("timestamp-query")) this.timeSource = "ops run alone";
    else {
      this.timeSource = "timestamps";
      this.#times = new LaunchTimes(backend.device, nowMs);
    }
  }

  /** Launches by submit; none on the CPU and without timestamps. */
  get submits(): readonly SubmittedLaunches[] {
    return this.#times?.submits ?? [];
  }

  start(): void {
    const stopOps = watchOps(this.#backend, {
      beginOp: (call) => this.#beginOp(call),
      endOp: () => this.#endOp(),
    });
    if (this.#backend instanceof WebGpuBackend) this.#backend.watchLaunches(this.#watcher());
    this.#stop = () => {
      stopOps();
      if (this.#backend instanceof WebGpuBackend) this.#backend.watchLaunches(undefined);
    };
  }

  /** Ends the watch; resolves when every time is known. What was recorded stays. */
  async stop(): Promise<void> {
    if (this.#backend instanceof WebGpuBackend) await this.#backend.finish();
    this.#stop();
    this.#stop = () => {};
    await this.#times?.settle();
    if (this.timeSource === "ops run alone") {
      await timeAlone(this.#backend as WebGpuBackend, [...this.#alone.values()], this.#nowMs);
    }
  }

  beginSpan(name: string): void {
    const now = this.#nowMs();
    const span = { name, startMs: now, endMs: now };
    this.spans.push(span);
    this.#open.push(span);
  }

  endSpan(): void {
    const span = this.#open.pop();
    if (span !== undefined) span.endMs = this.#nowMs();
  }

  dispose(): void {
    this.#stop();
    this.#times?.dispose();
  }

  #beginOp(call: WatchedCall): void {
    const { flops, readBytes, writtenBytes, isCounted } = call.work;
    const now = this.#nowMs();
    this.#current = {
      op: call.op,
      flops,
      readBytes,
      writtenBytes,
      startMs: now,
      endMs: now,
      launches: [],
      usedBytes: 0,
    };
    this.#isCounted = isCounted;
    this.ops.push(this.#current);
    if (this.timeSource !== "ops run alone") return;
    const alone = aloneCallOf(call);
    const known = this.#alone.get(alone.key);
    if (known === undefined) this.#alone.set(alone.key, alone);
    (known ?? alone).ops.push(this.#current);
  }

  #endOp(): void {
    const op = this.#current!;
    op.endMs = this.#nowMs();
    op.usedBytes = this.#backend.memory().usedBytes;
    if (this.#isCounted) shareBytes(op);
    this.#current = undefined;
  }

  #watcher(): LaunchWatcher {
    return {
      beginLaunch: (kernel, operands) => {
        const now = this.#nowMs();
        this.#launch = { kernel: kernel.name, ...operandBytes(kernel, operands), startMs: now, endMs: now };
      },
      endLaunch: () => {
        // Undefined when nothing was recorded, because there were no workgroups.
        if (this.#launch !== undefined) this.#launch.endMs = this.#nowMs();
        this.#launch = undefined;
      },
      writesOfLaunch: () => {
        const launch = this.#launch;
        if (launch === undefined) return undefined;
        this.#opOfLaunch().launches.push(launch);
        return this.#times?.writesOf(launch);
      },
      beforeSubmit: (encoder) => this.#times?.beforeSubmit(encoder),
      afterSubmit: () => this.#times?.afterSubmit(),
    };
  }

  #opOfLaunch(): OpRecord {
    if (this.#current !== undefined) return this.#current;
    const now = this.#nowMs();
    const usedBytes = this.#backend.memory().usedBytes;
    const times = { startMs: now, endMs: now };
    const op: OpRecord = { op: noOp, flops: 0, readBytes: 0, writtenBytes: 0, ...times, launches: [], usedBytes };
    this.ops.push(op);
    return op;
  }
}

function operandBytes(kernel: WgslKernel, operands: Readonly<Record<string, TensorView>>) {
  let readBytes = 0;
  let writtenBytes = 0;
  for (const [name, kind] of Object.entries(kernel.operands)) {
    const bytes = bytesOfView(operands[name]!);
    if (kind.startsWith("write")) writtenBytes += bytes;
    else readBytes += bytes;
  }
  return { readBytes, writtenBytes };
}

/** Gives the launches the bytes of their op, in proportion to those of their operands. */
function shareBytes({ launches, readBytes, writtenBytes }: OpRecord): void {
  const bytesOf = (launch: LaunchRecord): number => launch.readBytes + launch.writtenBytes;
  const all = launches.reduce((sum, launch) => sum + bytesOf(launch), 0);
  let seen = 0;
  let given = { read: 0, written: 0 };
  for (const launch of launches) {
    seen += bytesOf(launch);
    // What is due up to this launch, less what those before it got: whole bytes that add up.
    const share = all === 0 ? 1 : seen / all;
    const due = { read: Math.round(share * readBytes), written: Math.round(share * writtenBytes) };
    launch.readBytes = due.read - given.read;
    launch.writtenBytes = due.written - given.written;
    given = due;
  }
}
