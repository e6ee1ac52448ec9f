export { createNodeCpuBackend, type NodeCpuBackend, type NodeCpuBackendOptions } from "./create-node-cpu-backend.js";
