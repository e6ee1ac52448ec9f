/** @file Runs small kernels apart from a backend's own work and reads back the words that they leave: how a device is asked for what is known. */
import { BackendError } from "@lockstep/core";
import type { LaunchOptions, WgslKernel } from "../launch/kernel.js";
import { Launcher } from "../launch/launcher.js";
import { BufferPool } from "../memory/buffer-pool.js";
import { Readback } from "../memory/readback.js";

/** A launch of a kernel whose only operand is `out`, words. */
export interface WordLaunch {
  readonly kernel: WgslKernel<{ out: "write i32" }>;
  readonly params: Readonly<Record<string, number>>;
  readonly options: LaunchOptions;
}

export interface AskWordsOptions {
  readonly length: number;
  /** The feature that the launches try out: what the device refuses is then told to the caller alone, and is no error of the device. */
  readonly feature?: string;
}

/**
 * Records `launches` one after another, on `length` words that are 0 before. A launcher of its own keeps what goes wrong here away from others.
 *
 * @throws {BackendError} E_SHADER, E_DEVICE_LOST; E_DEVICE with the device's words, when it refuses launches of a feature.
 */
export async function askWords(
  device: GPUDevice,
  launches: readonly WordLaunch[],
  { length, feature }: AskWordsOptions,
): Promise<ArrayLike<number>> {
  const launcher = new Launcher(device);
  const pool = new BufferPool(device, { beforeDestroy: () => {} });
  if (feature !== undefined) device.pushErrorScope("validation");
  const buffer = pool.allocate(length * 4);
  for (const { kernel, params, options } of launches) {
    launcher.launch(kernel, () => ({ buffer, offset: 0 }), params, options);
  }
  const reading = new Readback(device, launcher).read(buffer, { view: { dtype: "i32", offset: 0 }, length });
  const scope = feature === undefined ? undefined : device.popErrorScope();
  const [read, refused] = await Promise.allSettled([reading, scope]);
  pool.free(buffer);
  pool.trim();
  if (read.status === "rejected") throw read.reason;
  if (refused.status === "rejected") throw refused.reason;
  if (refused.value) throw new BackendError(refused.value.message, { feature }, "E_DEVICE");
  return read.value;
}
