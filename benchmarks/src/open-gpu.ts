/** @file The GPU of the suites: npm webgpu as the tests find it, or beside the command. */
import { BackendError } from "@lockstep/core";
import { adapterName, createWebGpuBackend, type WebGpuBackend, type WebGpuBackendOptions } from "@lockstep/gpu-backend";
import { loadWebGpu } from "@lockstep/gpu-backend/node";

export function benchGpu(): Promise<GPU> {
  const folder = process.env.LOCKSTEP_WEBGPU;
  return loadWebGpu({ folders: folder === undefined ? [process.cwd()] : [folder, process.cwd()] });
}

/** @throws {BackendError} E_NO_ADAPTER for a driver that computes on the CPU. */
export async function openRealGpu(suite: string, gpu: GPU, options: WebGpuBackendOptions = {}): Promise<WebGpuBackend> {
  const backend = await createWebGpuBackend(gpu, { ...options, allowSoftware: true });
  const { adapter } = backend;
  if (!adapter.isSoftware) return backend;
  backend.dispose();
  throw new BackendError(
    `${suite}: the adapter is "${adapterName(adapter)}", which computes on the CPU: its times mean nothing. Run this suite where there is a GPU.`,
    { adapter },
    "E_NO_ADAPTER",
  );
}
