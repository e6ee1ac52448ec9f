/** @file What `--backend` means on this machine: a GPU of which class, or the CPU. */
import { homedir } from "node:os";
import { join } from "node:path";
import type { LockstepError } from "@lockstep/core";
import type { NodeWorkerOptions } from "@lockstep/worker/node";
import { UsageError } from "../exit-status.js";
import type { BackendName, ComputeFlags, Precision } from "../flags/common-flags.js";
import type { DeviceBackendOptions } from "./device-backend.js";

/** Where what was measured on adapters is kept. */
export const tuningFolder = join(homedir(), ".cache", "lockstep", "webgpu");

/** Where the npm package `webgpu` is looked for, beside this installation: LOCKSTEP_WEBGPU, `.lockstep/gpu`, the folder the command runs in. */
export function webGpuFolders(environment: NodeJS.ProcessEnv, cwd: string): readonly string[] {
  const { LOCKSTEP_WEBGPU: folder } = environment;
  return [...(folder === undefined || folder === "" ? [] : [folder]), join(cwd, ".lockstep", "gpu"), cwd];
}

export interface ChooseDeviceOptions {
  readonly noRecord?: boolean;
  readonly updates?: boolean;
  /** The command that started this worker has opened the device of "webgpu" and checked it: it is not opened again to learn its class. */
  readonly isChecked?: boolean;
}

/**
 * The device for "webgpu"; for "auto" a real GPU where there is one, else undefined, which stands for the CPU.
 *
 * @param warn told of measuring an adapter for the first time, of a software adapter, which "webgpu" accepts because it was asked for, of
 *   features that are switched off, and why "auto" took the CPU, or f32.
 * @throws {BackendError} E_NO_WEBGPU, E_NO_ADAPTER for "webgpu" where there is none; E_NO_F16 where it cannot store in 16 bits; E_DEVICE, E_SHADER
 *   where one fails its self-check.
 */
export async function chooseDevice(
  backend: BackendName,
  precision: Precision,
  warn: (line: string) => void,
  { noRecord = false, updates = false, isChecked = false }: ChooseDeviceOptions = {},
): Promise<NodeWorkerOptions["device"]> {
  if (backend === "cpu") return undefined;
  const wanted: DeviceBackendOptions = {
    allowSoftware: backend === "webgpu",
    folders: webGpuFolders(process.env, process.cwd()),
    storage: precision,
    tuningFolder,
  };
  try {
    const { options, numericClass, adapter } =
      isChecked && backend === "webgpu"
        ? await describe(wanted)
        : await openOnce(wanted, { isAuto: backend === "auto", warn });
    if (adapter.isSoftware) {
      warn(
        `the WebGPU adapter is "${adapter.description}", which computes on the CPU: right, and slower than --backend cpu`,
      );
    }
    const moduleUrl = new URL("./device-backend.js", import.meta.url).href;
    return { numericClass, moduleUrl, options: { ...options }, noRecord, updates };
  } catch (error) {
    if (backend !== "auto") throw error;
    warn(`--backend auto computes on the CPU: ${(error as Error).message}`);
    return undefined;
  }
}

/** What a device would be that another process has opened and checked. */
async function describe(options: DeviceBackendOptions) {
  const { describeDeviceBackend } = await import("./device-backend.js");
  return { options, ...(await describeDeviceBackend(options)) };
}

/** Opens the device and closes it again. For "auto" one that cannot store in 16 bits is taken in f32, and why is told. */
async function openOnce(
  options: DeviceBackendOptions,
  { isAuto, warn }: { readonly isAuto: boolean; readonly warn: (line: string) => void },
) {
  // Only here: most workers have no use for the kernels of a GPU.
  const { createDeviceBackend } = await import("./device-backend.js");
  const open = async (wanted: DeviceBackendOptions) => {
    const backend = await createDeviceBackend({ ...wanted, onNotice: warn });
    const { numericClass, adapter } = backend;
    backend.dispose();
    return { options: wanted, numericClass, adapter };
  };
  try {
    return await open(options);
  } catch (error) {
    const { code, message } = error as LockstepError;
    if (!isAuto || options.storage !== "f16" || !["E_NO_F16", "E_DEVICE"].includes(code)) throw error;
    const plain = await open({ ...options, storage: "f32" });
    warn(`--backend auto stores in f32: ${message}`);
    return plain;
  }
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
