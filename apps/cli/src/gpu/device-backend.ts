/** @file What a worker's device thread loads: makes a WebGPU backend in Node. */
import { createWebGpuBackend, type FloatStorage, type WebGpuBackend } from "@lockstep/gpu-backend";
import { loadWebGpu } from "@lockstep/gpu-backend/node";

/** Works in any folder, a clone of the repository included, whose own package.json npm cannot read. */
const installCommand = "npm install --prefix .lockstep/gpu webgpu@0.6.2";

export interface DeviceBackendOptions {
  readonly allowSoftware: boolean;
  /** Folders whose node_modules may hold the npm package `webgpu`. */
  readonly folders: readonly string[];
  readonly storage: FloatStorage;
}

/** @throws {BackendError} E_NO_WEBGPU, E_NO_ADAPTER, with what to do; E_NO_F16, E_DEVICE for the storage "f16" where it does not work. */
export async function createDeviceBackend(options: DeviceBackendOptions): Promise<WebGpuBackend> {
  const { allowSoftware, folders, storage } = options;
  return createWebGpuBackend(await loadWebGpu({ folders, installCommand }), { allowSoftware, storage });
}
