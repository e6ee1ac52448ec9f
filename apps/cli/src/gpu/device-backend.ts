/** @file What a worker's device thread loads: makes a WebGPU backend in Node. */
import {
  createWebGpuBackend,
  type FloatStorage,
  findAdapterDescription,
  numericClassOf,
  type WebGpuBackend,
} from "@lockstep/gpu-backend";
import { fileTuningStore, loadWebGpu } from "@lockstep/gpu-backend/node";

/** Works in any folder, a clone of the repository included, whose own package.json npm cannot read. */
const installCommand = "npm install --prefix .lockstep/gpu webgpu@0.6.2";

export interface DeviceBackendOptions {
  readonly allowSoftware: boolean;
  /** Folders whose node_modules may hold the npm package `webgpu`. */
  readonly folders: readonly string[];
  /** Default "f32". */
  readonly storage?: FloatStorage;
  /** Where what was measured on an adapter is kept. Without it nothing is measured. */
  readonly tuningFolder?: string;
  /** Told of what the adapter has and is not used, and of measuring. */
  readonly onNotice?: (line: string) => void;
  /** Options of Dawn. */
  readonly dawn?: readonly string[];
}

/** Class and adapter of what `createDeviceBackend` makes, without opening a device. @throws {BackendError} E_NO_WEBGPU, E_NO_ADAPTER. */
export async function describeDeviceBackend({ folders, allowSoftware, storage }: DeviceBackendOptions) {
  const adapter = await findAdapterDescription(await loadWebGpu({ folders, installCommand }), { allowSoftware });
  return { adapter, numericClass: numericClassOf(adapter, storage) };
}

/** @throws {BackendError} E_NO_WEBGPU, E_NO_ADAPTER, E_NO_F16; E_DEVICE, E_SHADER when the device fails its self-check; with what to do. */
export async function createDeviceBackend({
  folders,
  tuningFolder,
  dawn,
  ...options
}: DeviceBackendOptions): Promise<WebGpuBackend> {
  const gpu = await loadWebGpu({ folders, installCommand, ...(dawn && { dawn }) });
  if (tuningFolder === undefined) return createWebGpuBackend(gpu, options);
  const store = fileTuningStore(tuningFolder);
  const log = options.onNotice ?? (() => {});
  return createWebGpuBackend(gpu, { ...options, tuning: { store, nowMs: () => performance.now(), log } });
}
