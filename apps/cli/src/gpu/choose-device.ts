/** @file What `--backend` means on this machine: a GPU of which class, or the CPU. */
import { join } from "node:path";
import type { LockstepError } from "@lockstep/core";
import type { NodeWorkerOptions } from "@lockstep/worker/node";
import { UsageError } from "../exit-status.js";
import type { BackendName, ComputeFlags, Precision } from "../flags/common-flags.js";
import type { DeviceBackendOptions } from "./device-backend.js";

/** Where the npm package `webgpu` is looked for, beside this installation: LOCKSTEP_WEBGPU, `.lockstep/gpu`, the folder the command runs in. */
export function webGpuFolders(environment: NodeJS.ProcessEnv, cwd: string): readonly string[] {
  const { LOCKSTEP_WEBGPU: folder } = environment;
  return [...(folder === undefined || folder === "" ? [] : [folder]), join(cwd, ".lockstep", "gpu"), cwd];
}

/**
 * The device for "webgpu"; for "auto" a real GPU where there is one, else undefined, which stands for the CPU.
 *
 * @param warn told of a software adapter, which "webgpu" accepts because it was asked for, and why "auto" took the CPU, or f32.
 * @throws {BackendError} E_NO_WEBGPU, E_NO_ADAPTER for "webgpu" where there is none; E_NO_F16, E_DEVICE where it cannot store in 16 bits.
 */
export async function chooseDevice(
  backend: BackendName,
  precision: Precision,
  warn: (line: string) => void,
): Promise<NodeWorkerOptions["device"]> {
  if (backend === "cpu") return undefined;
  const wanted: DeviceBackendOptions = {
    allowSoftware: backend === "webgpu",
    folders: webGpuFolders(process.env, process.cwd()),
    storage: precision,
  };
  try {
    const { options, numericClass, adapter } = await openOnce(wanted, backend === "auto" ? warn : undefined);
    if (adapter.isSoftware) {
      warn(
        `the WebGPU adapter is "${adapter.description}", which computes on the CPU: right, and slower than --backend cpu`,
      );
    }
    const moduleUrl = new URL("./device-backend.js", import.meta.url).href;
    return { numericClass, moduleUrl, options: { ...options } };
  } catch (error) {
    if (backend !== "auto") throw error;
    warn(`--backend auto computes on the CPU: ${(error as Error).message}`);
    return undefined;
  }
}

/** Opens the device and closes it again. With `warn` one that cannot store in 16 bits is taken in f32, and why is told. */
async function openOnce(options: DeviceBackendOptions, warn: ((line: string) => void) | undefined) {
  // Only here: most workers have no use for the kernels of a GPU.
  const { createDeviceBackend } = await import("./device-backend.js");
  try {
    const { numericClass, adapter } = await opened(createDeviceBackend(options));
    return { options, numericClass, adapter };
  } catch (error) {
    const isHalvesOnly = ["E_NO_F16", "E_DEVICE"].includes((error as LockstepError).code);
    if (warn === undefined || options.storage !== "f16" || !isHalvesOnly) throw error;
    const plain: DeviceBackendOptions = { ...options, storage: "f32" };
    const { numericClass, adapter } = await opened(createDeviceBackend(plain));
    warn(`--backend auto stores in f32: ${(error as Error).message}`);
    return { options: plain, numericClass, adapter };
  }
}

async function opened<B extends { dispose(): void }>(opening: Promise<B>): Promise<B> {
  const backend = await opening;
  backend.dispose();
  return backend;
}

/**
 * Whether every backend of a list can be had here, before anything is started or written.
 *
 * @throws {UsageError} with the code and the text of E_NO_WEBGPU, E_NO_ADAPTER, E_NO_F16 or E_DEVICE.
 */
export async function assertBackends(
  { backend, precision }: Pick<ComputeFlags, "backend" | "precision">,
  warn: (line: string) => void,
): Promise<void> {
  if (!backend.includes("webgpu")) return;
  try {
    await chooseDevice("webgpu", precision, warn);
  } catch (error) {
    const { message, code } = error as LockstepError;
    throw new UsageError(`--backend webgpu: ${message}`, {}, code);
  }
}
