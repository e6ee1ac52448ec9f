/** @file Times products on a device: by its own timestamps where it has them, else by when the queue says that they are done. */
import type { Backend } from "@lockstep/core";
import type { KernelChoices } from "./kernel-choices.js";
import type { TimeTile } from "./measure-tiles.js";

/** What a timer needs of a backend. */
export interface TimedBackend extends Backend {
  readonly choices: Readonly<KernelChoices>;
  choose(choices: Partial<KernelChoices>): void;
  /** Hands over what is recorded. */
  submit(): void;
  /** Gives memory that is not in use back to the device. */
  trim(): void;
  finish(): Promise<void>;
}

export interface TileTimer {
  readonly time: TimeTile;
  /** Frees what was allocated; the backend's choices are as before. */
  dispose(): void;
}

interface TimedDevice {
  readonly device: GPUDevice;
  readonly hasTimestamps: boolean;
  readonly nowMs: () => number;
}

export function tileTimer(backend: TimedBackend, { device, hasTimestamps, nowMs }: TimedDevice): TileTimer {
  const before = backend.choices.tiles;
  const stamps = hasTimestamps ? new Timestamps(device) : undefined;
  const buffers = new Map<number, ReturnType<Backend["allocate"]>[]>();
  const matrices = (size: number) => {
    let made = buffers.get(size);
    if (made === undefined) {
      const zeros = new Float32Array(size * size);
      made = [0, 1, 2].map(() => backend.allocate(zeros.byteLength));
      for (const buffer of made) backend.write(buffer, 0, zeros);
      buffers.set(size, made);
    }
    return made.map(
      (buffer) => ({ buffer, offset: 0, shape: [size, size], strides: [size, 1], dtype: "f32" }) as const,
    );
  };
  /** Both factors deep, as in the forward pass of a linear layer. */
  const run = (size: number, repeats: number): void => {
    const [x, weight, out] = matrices(size);
    for (let i = 0; i < repeats; i++) backend.kernels.matmul(x!, { ...weight!, strides: [1, size] }, out!, {});
  };
  return {
    time: async (tile, size, repeats) => {
      backend.choose({ tiles: [{ minElements: 0, order: [tile] }] });
      if (repeats === 1) run(size, 1);
      await backend.finish();
      const startMs = nowMs();
      stamps?.begin();
      run(size, repeats);
      backend.submit();
      const deviceMs = await stamps?.end();
      await backend.finish();
      const wallMs = nowMs() - startMs;
      // Some drivers answer zeros, or one number twice.
      const isPlausible = deviceMs !== undefined && deviceMs > 0 && deviceMs <= wallMs;
      return (isPlausible ? deviceMs : wallMs) / repeats;
    },
    dispose: () => {
      backend.choose({ tiles: before });
      for (const made of buffers.values()) for (const buffer of made) backend.free(buffer);
      stamps?.dispose();
    },
  };
}

/** Two timestamps in passes of their own, before and after what is submitted between. */
class Timestamps {
  readonly #device: GPUDevice;
  readonly #set: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #read: GPUBuffer;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#set = device.createQuerySet({ type: "timestamp", count: 2 });
    this.#resolved = device.createBuffer({ size: 16, usage: 0x200 | 0x4 }); // QUERY_RESOLVE | COPY_SRC
    this.#read = device.createBuffer({ size: 16, usage: 0x1 | 0x8 }); // MAP_READ | COPY_DST
  }

  begin(): void {
    const encoder = this.#device.createCommandEncoder();
    encoder.beginComputePass({ timestampWrites: { querySet: this.#set, endOfPassWriteIndex: 0 } }).end();
    this.#device.queue.submit([encoder.finish()]);
  }

  /** Milliseconds between the two. */
  async end(): Promise<number> {
    const encoder = this.#device.createCommandEncoder();
    encoder.beginComputePass({ timestampWrites: { querySet: this.#set, beginningOfPassWriteIndex: 1 } }).end();
    encoder.resolveQuerySet(this.#set, 0, 2, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#read, 0, 16);
    this.#device.queue.submit([encoder.finish()]);
    await this.#read.mapAsync(1); // READ
    const [first = 0n, second = 0n] = new BigUint64Array(this.#read.getMappedRange());
    this.#read.unmap();
    return Number(second - first) / 1e6;
  }

  dispose(): void {
    this.#set.destroy();
    this.#resolved.destroy();
    this.#read.destroy();
  }
}
