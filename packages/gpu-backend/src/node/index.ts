export { type LoadWebGpuOptions, loadWebGpu } from "./load-web-gpu.js";
