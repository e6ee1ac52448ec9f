/** @file How long an op takes alone, where a device cannot time launches: run again on scratch memory, submitted and waited for. */
import { type DeviceBuffer, OutOfMemoryError, type TensorView } from "@lockstep/core";
import type { GpuBuffer } from "../memory/buffer-pool.js";
import type { WebGpuBackend } from "../webgpu-backend.js";
import type { OpRecord } from "./records.js";
import { isProgram, withViews } from "./views.js";
import type { WatchedCall } from "./watch-ops.js";

/** Runs of an op, of which the median counts. */
const numRuns = 3;

/** Calls of one op with arguments of one kind: the same shapes, layouts and options. */
export interface AloneCall {
  readonly key: string;
  /** Arguments whose views name their buffers by number. */
  readonly args: readonly unknown[];
  /** Bytes of the buffers that the views lie in. */
  readonly bufferBytes: readonly number[];
  readonly run: (args: readonly unknown[]) => unknown;
  /** The calls that were seen. */
  readonly ops: OpRecord[];
}

/** A view that holds no buffer. */
class ScratchView {
  readonly buffer: number;
  readonly view: Omit<TensorView, "buffer">;

  constructor(buffer: number, { offset, shape, strides, dtype }: TensorView) {
    this.buffer = buffer;
    this.view = { offset, shape: [...shape], strides: [...strides], dtype };
  }
}

export function aloneCallOf({ key, args, run }: WatchedCall): AloneCall {
  const numbers = new Map<DeviceBuffer, number>();
  const numbered = withViews(args, (view) => {
    if (!numbers.has(view.buffer)) numbers.set(view.buffer, numbers.size);
    return new ScratchView(numbers.get(view.buffer)!, view);
  }) as readonly unknown[];
  const shapes = JSON.stringify(numbered, (_, value) => (isProgram(value) ? value.key : value));
  // Scratch memory holds words of 32 bits.
  const bufferBytes = [...numbers.keys()].map((buffer) => {
    return (buffer as Partial<GpuBuffer>).isHalf === true ? 2 * buffer.byteLength : buffer.byteLength;
  });
  return { key: `${key} ${shapes}`, args: numbered, bufferBytes, run, ops: [] };
}

/** Fills in `aloneMs` of every op. One that finds no scratch memory keeps none. */
export async function timeAlone(
  backend: WebGpuBackend,
  calls: readonly AloneCall[],
  nowMs: () => number,
): Promise<void> {
  for (const call of calls) {
    const buffers: DeviceBuffer[] = [];
    try {
      for (const bytes of call.bufferBytes) buffers.push(zeroBuffer(backend, bytes));
      const aloneMs = await medianMs(
        backend,
        () => call.run(restored(call.args, buffers) as readonly unknown[]),
        nowMs,
      );
      for (const op of call.ops) op.aloneMs = aloneMs;
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
    } finally {
      for (const buffer of buffers) backend.free(buffer);
    }
  }
}

/** Zeros are legal indices and lengths. */
function zeroBuffer(backend: WebGpuBackend, byteLength: number): DeviceBuffer {
  const buffer = backend.allocate(byteLength);
  backend.kernels.fill({ buffer, offset: 0, shape: [byteLength / 4], strides: [1], dtype: "i32" }, 0);
  return buffer;
}

function restored(value: unknown, buffers: readonly DeviceBuffer[]): unknown {
  if (value instanceof ScratchView) return { ...value.view, buffer: buffers[value.buffer]! };
  if (Array.isArray(value)) return value.map((part) => restored(part, buffers));
  if (typeof value !== "object" || value === null || isProgram(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, restored(part, buffers)]));
}

async function medianMs(backend: WebGpuBackend, run: () => unknown, nowMs: () => number): Promise<number> {
  run(); // compiles
  await backend.finish();
  const times: number[] = [];
  for (let i = 0; i < numRuns; i++) {
    const start = nowMs();
    run();
    await backend.finish();
    times.push(nowMs() - start);
  }
  return times.sort((x, y) => x - y)[numRuns >> 1]!;
}
