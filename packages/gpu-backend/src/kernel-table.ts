/** @file All structural kernels of the WebGPU backend: one table. */
import type { KernelTable } from "@lockstep/core/backend";
import { attentionRows } from "./kernels/attention.js";
import { copyRows } from "./kernels/copy.js";
import { gemmRows } from "./kernels/gemm.js";
import { hostResultRows } from "./kernels/host-results.js";
import type { KernelHost } from "./launch/kernel.js";

export function createKernelTable(host: KernelHost) {
  return {
    ...copyRows(host),
    ...gemmRows(host),
    ...attentionRows(host),
    ...hostResultRows(),
  } as unknown as KernelTable;
}
