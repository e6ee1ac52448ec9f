/** @file Reads buffers back through a pool of mappable ones; many reads may be under way at once. */
import { BackendError, type DType, type DTypeArray } from "@lockstep/core";
import type { Launcher } from "../launch/launcher.js";
import type { GpuBuffer } from "./buffer-pool.js";
import { floatsOfHalves } from "./half-floats.js";

const usage = 0x1 | 0x8; // MAP_READ | COPY_DST
const mapRead = 0x1;
/** Fewer than this are always kept. */
const minKept = 16;

export class Readback {
  readonly #device: GPUDevice;
  readonly #launcher: Launcher;
  readonly #free: GPUBuffer[] = [];
  /** Under way now, and most at once so far: a step reads as many as the one before. */
  #numTaken = 0;
  #mostTaken = 0;

  constructor(device: GPUDevice, launcher: Launcher) {
    this.#device = device;
    this.#launcher = launcher;
  }

  /** The `length` elements of a contiguous view, as they are after what was recorded before this call. */
  async read(
    buffer: GpuBuffer,
    { view, length }: { readonly view: { readonly dtype: DType; readonly offset: number }; readonly length: number },
  ): Promise<DTypeArray> {
    // Kept: the buffer may be somebody else's by the time its numbers arrive.
    const { isHalf } = buffer;
    const width = isHalf ? 2 : 4;
    // Copies begin and end at multiples of four bytes.
    const skip = (view.offset * width) % 4;
    const byteLength = Math.ceil((skip + length * width) / 4) * 4;
    const staging = this.#take(byteLength);
    this.#launcher.copyBytes(
      { handle: buffer.handle, offset: view.offset * width - skip },
      { handle: staging, offset: 0 },
      byteLength,
    );
    this.#launcher.submit();
    try {
      await staging.mapAsync(mapRead, 0, byteLength);
      await this.#launcher.compiled();
    } catch (error) {
      this.#launcher.assertWell();
      const message = error instanceof Error ? error.message : String(error);
      throw new BackendError(`webgpu: reading ${byteLength} bytes back failed: ${message}`, { byteLength }, "E_DEVICE");
    }
    const bytes = staging.getMappedRange(0, byteLength).slice(0);
    staging.unmap();
    this.#give(staging);
    this.#launcher.assertWell();
    if (isHalf) return floatsOfHalves(new Uint16Array(bytes, skip, length));
    if (view.dtype === "f32") return new Float32Array(bytes);
    const words = new Int32Array(bytes);
    return view.dtype === "i32" ? words : Uint8Array.from(words);
  }

  #take(byteLength: number): GPUBuffer {
    this.#mostTaken = Math.max(this.#mostTaken, ++this.#numTaken);
    const place = this.#free.findIndex(({ size }) => size >= byteLength && size <= Math.max(4096, 4 * byteLength));
    if (place >= 0) return this.#free.splice(place, 1)[0]!;
    const size = 2 ** Math.ceil(Math.log2(Math.max(byteLength, 1024)));
    return this.#device.createBuffer({ size, usage, label: "readback" });
  }

  #give(staging: GPUBuffer): void {
    this.#numTaken--;
    this.#free.push(staging);
    if (this.#free.length > Math.max(minKept, this.#mostTaken)) this.#free.shift()?.destroy();
  }
}
