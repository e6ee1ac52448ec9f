/** @file All structural kernels of the WebGPU backend: one table. */
import type { KernelTable } from "@lockstep/core/backend";
import { copyRows } from "./kernels/copy.js";
import type { KernelHost } from "./launch/kernel.js";

export function createKernelTable(host: KernelHost) {
  return {
    ...copyRows(host),
  } as unknown as KernelTable;
}
