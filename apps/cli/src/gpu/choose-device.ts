/** @file What `--backend` means on this machine: a GPU of which class, or the CPU. */
import { homedir } from "node:os";
import { join } from "node:path";
import type { LockstepError } from "@lockstep/core";
import type { NodeWorkerOptions } from "@lockstep/worker/node";
import { UsageError } from "../exit-status.js";
import type { BackendName } from "../flags/common-flags.js";
import type { DeviceBackendOptions } from "./device-backend.js";

/** Where the npm package `webgpu` is looked for, beside this installation: LOCKSTEP_WEBGPU, `.lockstep/gpu`, the folder the command runs in. */
export function webGpuFolders(environment: NodeJS.ProcessEnv, cwd: string): readonly string[] {
  const { LOCKSTEP_WEBGPU: folder } = environment;
  return [...(folder === undefined || folder === "" ? [] : [folder]), join(cwd, ".lockstep", "gpu"), cwd];
}

/**
 * The device for "webgpu"; for "auto" a real GPU where there is one, else undefined, which stands for the CPU.
 *
 * @param warn told of measuring an adapter for the first time, of a software adapter, which "webgpu" accepts because it was asked for, of
 *   features that are switched off, and why "auto" took the CPU.
 * @throws {BackendError} E_NO_WEBGPU, E_NO_ADAPTER for "webgpu" where there is none; E_DEVICE, E_SHADER where one fails its self-check.
 */
export async function chooseDevice(
  backend: BackendName,
  warn: (line: string) => void,
  { noRecord = false }: { readonly noRecord?: boolean } = {},
): Promise<NodeWorkerOptions["device"]> {
  if (backend === "cpu") return undefined;
  const options: DeviceBackendOptions = {
    allowSoftware: backend === "webgpu",
    folders: webGpuFolders(process.env, process.cwd()),
    tuningFolder: join(homedir(), ".cache", "lockstep", "webgpu"),
  };
  try {
    // Only here: most workers have no use for the kernels of a GPU.
    const { createDeviceBackend } = await import("./device-backend.js");
    const found = await createDeviceBackend({ ...options, onNotice: warn });
    const { numericClass, adapter } = found;
    found.dispose();
    if (adapter.isSoftware) {
      warn(
        `the WebGPU adapter is "${adapter.description}", which computes on the CPU: right, and slower than --backend cpu`,
      );
    }
    const moduleUrl = new URL("./device-backend.js", import.meta.url).href;
    return { numericClass, moduleUrl, options: { ...options }, noRecord };
  } catch (error) {
    if (backend !== "auto") throw error;
    warn(`--backend auto computes on the CPU: ${(error as Error).message}`);
    return undefined;
  }
}

/**
 * Whether every backend of a list can be had here, before anything is started or written.
 *
 * @throws {UsageError} with the code and the text of E_NO_WEBGPU or E_NO_ADAPTER.
 */
export async function assertBackends(backends: readonly BackendName[], warn: (line: string) => void): Promise<void> {
  if (!backends.includes("webgpu")) return;
  try {
    await chooseDevice("webgpu", warn);
  } catch (error) {
    const { message, code } = error as LockstepError;
    throw new UsageError(`--backend webgpu: ${message}`, {}, code);
  }
}
