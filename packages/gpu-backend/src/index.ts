export { adapterName } from "./device/adapter-name.js";
export {
  type AdapterDescription,
  type DeviceOptions,
  findAdapterDescription,
  numericClassOf,
  type OpenedDevice,
  type OptionalFeature,
  openDevice,
  optionalFeatures,
} from "./device/open-device.js";
export type { LauncherFigures } from "./launch/launcher.js";
export { indexedDbTuningStore } from "./tuning/indexed-db-store.js";
export type { TuningOptions } from "./tuning/tune.js";
export type { TuningStore } from "./tuning/tuning-store.js";
export { createWebGpuBackend, type FloatStorage, WebGpuBackend, type WebGpuBackendOptions } from "./webgpu-backend.js";
