/** @file WebGPU for the tests: on whatever driver the machine or VK_DRIVER_FILES names, software included. */
import { afterAll, describe, test } from "vitest";
import { loadWebGpu } from "./node/load-web-gpu.js";
import { createWebGpuBackend, type WebGpuBackend, type WebGpuBackendOptions } from "./webgpu-backend.js";

/** The entry point, or why the tests are skipped. LOCKSTEP_REQUIRE_GPU=1 makes a missing adapter a failure. */
async function findGpu(): Promise<{ readonly gpu?: GPU; readonly reason?: string; readonly hasHalves?: boolean }> {
  const { LOCKSTEP_WEBGPU: folder, LOCKSTEP_REQUIRE_GPU: isRequired } = process.env;
  try {
    const gpu = await loadWebGpu({ folders: folder === undefined ? [] : [folder] });
    const adapter = await gpu.requestAdapter();
    if (adapter !== null) return { gpu, hasHalves: adapter.features.has("shader-f16") };
    if (isRequired === "1") throw new Error("there is no WebGPU adapter, and LOCKSTEP_REQUIRE_GPU is 1");
    return { reason: "no WebGPU adapter" };
  } catch (error) {
    if (isRequired === "1") throw error;
    return { reason: (error as Error).message };
  }
}

const found = await findGpu();

/** Dawn's null backend: every module, pipeline and call is validated, nothing is computed. It needs the npm package and no driver. */
async function findNullGpu(): Promise<{ readonly gpu?: GPU; readonly reason?: string }> {
  const { LOCKSTEP_WEBGPU: folder, LOCKSTEP_REQUIRE_GPU: isRequired } = process.env;
  try {
    return { gpu: await loadWebGpu({ folders: folder === undefined ? [] : [folder], dawn: ["backend=null"] }) };
  } catch (error) {
    if (isRequired === "1") throw error;
    return { reason: (error as Error).message };
  }
}

const nothing = await findNullGpu();

/** As `describeGpu`, for what only needs calls to be validated. */
export function describeNullGpu(name: string, body: () => void): void {
  if (nothing.gpu === undefined) test.skip(`${name} (${nothing.reason})`, () => {});
  else describe(name, body);
}

/** A backend that checks every call and computes nothing, inside `describeNullGpu`. */
export function createNullBackend(options: WebGpuBackendOptions = {}): Promise<WebGpuBackend> {
  return createWebGpuBackend(nothing.gpu!, { selfCheck: false, allowSoftware: true, ...options });
}

/** `describe` where there is an adapter; one skipped test, with the reason in its name, where there is none. */
export function describeGpu(name: string, body: () => void): void {
  if (found.gpu === undefined) test.skip(`${name} (${found.reason})`, () => {});
  else describe(name, body);
}

/** Whether the tests' adapter has "shader-f16". */
export function hasHalves(): boolean {
  return found.hasHalves === true;
}

/** The entry point, inside `describeGpu`. */
export function testGpu(): GPU {
  return found.gpu!;
}

/** Makes backends that are disposed after the tests around the call. */
export function opening(
  create: (options?: WebGpuBackendOptions) => Promise<WebGpuBackend> = createTestBackend,
): (options?: WebGpuBackendOptions) => Promise<WebGpuBackend> {
  const backends: WebGpuBackend[] = [];
  afterAll(() => {
    for (const backend of backends) backend.dispose();
  });
  return async (options) => {
    const backend = await create(options);
    backends.push(backend);
    return backend;
  };
}

/** A backend on the tests' adapter. The caller disposes it. */
export function createTestBackend(options: WebGpuBackendOptions = {}): Promise<WebGpuBackend> {
  return createWebGpuBackend(found.gpu!, { allowSoftware: true, ...options });
}
