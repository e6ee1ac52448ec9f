/** @file What a worker's device thread loads: makes a WebGPU backend in Node. */
import { createWebGpuBackend, type WebGpuBackend } from "@lockstep/gpu-backend";
import { loadWebGpu } from "@lockstep/gpu-backend/node";

/** Works in any folder, a clone of the repository included, whose own package.json npm cannot read. */
const installCommand = "npm install --prefix .lockstep/gpu webgpu@0.6.2";

export interface DeviceBackendOptions {
  readonly allowSoftware: boolean;
  /** Folders whose node_modules may hold the npm package `webgpu`. */
  readonly folders: readonly string[];
  /** Told of features that are switched off because they failed their self-check. */
  readonly onNotice?: (line: string) => void;
  /** Options of Dawn. */
  readonly dawn?: readonly string[];
}

/** @throws {BackendError} E_NO_WEBGPU, E_NO_ADAPTER; E_DEVICE, E_SHADER when the device fails its self-check; with what to do. */
export async function createDeviceBackend({ folders, dawn, ...options }: DeviceBackendOptions): Promise<WebGpuBackend> {
  return createWebGpuBackend(await loadWebGpu({ folders, installCommand, ...(dawn && { dawn }) }), options);
}
