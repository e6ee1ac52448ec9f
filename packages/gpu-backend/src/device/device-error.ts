/** @file What a device reports of its own accord, as errors of ours. */
import { BackendError, type LockstepError, OutOfMemoryError } from "@lockstep/core";
import { adapterName } from "./adapter-name.js";

/** An error that no scope caught: memory the device did not have, or a call that it refuses. */
export function deviceError(device: Pick<GPUDevice, "adapterInfo">, error: GPUError): LockstepError {
  const adapter = adapterName(device.adapterInfo);
  if (error.constructor.name === "GPUOutOfMemoryError") {
    const what = /BufferDescriptor "*([^"]+)"*/.exec(error.message)?.[1] ?? "a buffer";
    return new OutOfMemoryError(
      `webgpu: "${adapter}" has no memory left for ${what}; what a step needs must fit. Use smaller micro-batches, checkpoint activations, or end what else uses the device.`,
      { adapter, what, message: error.message },
    );
  }
  return new BackendError(`webgpu: the device reported: ${error.message}`, { adapter }, "E_DEVICE");
}

export function lostError({ reason, message }: GPUDeviceLostInfo): BackendError {
  return new BackendError(
    `webgpu: the device was lost (${reason || "unknown"}): ${message || "no message"}. What lay on it is gone; open another device and load the state again.`,
    { reason },
    "E_DEVICE_LOST",
  );
}
