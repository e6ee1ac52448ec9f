/** @file All structural kernels of the WebGPU backend: one table. */
import type { KernelTable } from "@lockstep/core/backend";
import { attentionRows } from "./kernels/attention.js";
import { copyRows } from "./kernels/copy.js";
import { ctcRows } from "./kernels/ctc.js";
import { gemmRows } from "./kernels/gemm.js";
import { hostResultRows } from "./kernels/host-results.js";
import { recurrentRows } from "./kernels/recurrent.js";
import type { KernelHost } from "./launch/kernel.js";

export function createKernelTable(host: KernelHost) {
  return {
    ...copyRows(host),
    ...gemmRows(host),
    ...attentionRows(host),
    ...recurrentRows(host),
    ...ctcRows(host),
    ...hostResultRows(),
  } as unknown as KernelTable;
}
