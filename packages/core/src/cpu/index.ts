export { CpuBackend, type CpuBackendOptions, createCpuBackend, createCpuMemory } from "./cpu-backend.js";
export type { CpuNumericClass } from "./kernel.js";
export { createVectorOps, type VectorOps } from "./vector-ops.js";
