export { fileTuningStore } from "./file-tuning-store.js";
export { type LoadWebGpuOptions, loadWebGpu } from "./load-web-gpu.js";
