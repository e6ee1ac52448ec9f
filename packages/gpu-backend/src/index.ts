export {
  type AdapterDescription,
  type DeviceOptions,
  type OpenedDevice,
  type OptionalFeature,
  openDevice,
  optionalFeatures,
} from "./device/open-device.js";
export type { LauncherFigures } from "./launch/launcher.js";
export { createWebGpuBackend, type FloatStorage, WebGpuBackend, type WebGpuBackendOptions } from "./webgpu-backend.js";
