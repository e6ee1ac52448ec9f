/** @file The backend that a profile runs on: a GPU, the CPU, or whichever is there. */

import type { Backend, LockstepError } from "@lockstep/core";
import { createNodeCpuBackend } from "@lockstep/core/node";
import { measureCpuPeak, measureDevicePeak, type Peak } from "@lockstep/gpu-backend/profiling";
import { UsageError } from "../exit-status.js";
import type { BackendName, Precision } from "../flags/common-flags.js";
import { tuningFolder, webGpuFolders } from "../gpu/choose-device.js";

export interface ProfiledBackend {
  readonly backend: Backend;
  /** What computes, in words. */
  readonly machine: string;
  readonly isDevice: boolean;
  /** Whether it is a driver that computes on the CPU, whose kernel times mean nothing. */
  readonly isSoftware: boolean;
  /** Measures what it can do at most, in memory of its own. */
  readonly peak: (nowMs: () => number) => Promise<Peak>;
}

export interface ProfiledOptions {
  /** Of the CPU backend. */
  readonly threads: number;
  /** Of a GPU's large tensors. */
  readonly precision: Precision;
  readonly warn: (line: string) => void;
}

/** Dawn rounds timestamps to 100 microseconds otherwise, against attackers in other pages; here there are none. */
const dawnOptions = ["disable-dawn-features=timestamp_quantization"];

/** @throws {UsageError} with the code and the text of E_NO_WEBGPU, E_NO_ADAPTER or E_NO_F16, for "webgpu" where there is none. */
export async function openProfiledBackend(
  name: BackendName,
  { threads, precision, warn }: ProfiledOptions,
): Promise<ProfiledBackend> {
  if (name === "cpu") return cpuBackend(threads);
  const folders = webGpuFolders(process.env, process.cwd());
  try {
    // Only here: a profile of the CPU has no use for the kernels of a GPU.
    const { createDeviceBackend } = await import("../gpu/device-backend.js");
    const { adapterName } = await import("@lockstep/gpu-backend");
    const options = { folders, allowSoftware: name === "webgpu", storage: precision, tuningFolder, onNotice: warn };
    const backend = await createDeviceBackend({ ...options, dawn: dawnOptions });
    const { adapter } = backend;
    const { isSoftware } = adapter;
    const peak = (nowMs: () => number): Promise<Peak> => measureDevicePeak(backend.device, { nowMs, isSoftware });
    return { backend, machine: adapterName(adapter), isDevice: true, isSoftware, peak };
  } catch (error) {
    const { message, code } = error as LockstepError;
    if (name === "auto") {
      warn(`--backend auto profiles the CPU: ${message}`);
      return cpuBackend(threads);
    }
    throw new UsageError(`--backend webgpu: ${message}`, {}, code);
  }
}

function cpuBackend(threads: number): ProfiledBackend {
  const backend = createNodeCpuBackend({ threads });
  const machine = `${threads} thread${threads === 1 ? "" : "s"} of WebAssembly`;
  const peak = async (nowMs: () => number): Promise<Peak> => {
    const own = createNodeCpuBackend({ threads });
    try {
      return measureCpuPeak(own, nowMs);
    } finally {
      own.dispose();
    }
  };
  return { backend, machine, isDevice: false, isSoftware: false, peak };
}
