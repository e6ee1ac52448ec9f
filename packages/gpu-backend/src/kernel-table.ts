/** @file All structural kernels of the WebGPU backend: one table. */
import type { KernelTable } from "@lockstep/core/backend";
import { argReduceRows } from "./kernels/arg-reduce.js";
import { attentionRows } from "./kernels/attention.js";
import { columnsRows } from "./kernels/columns.js";
import { copyRows } from "./kernels/copy.js";
import { crossEntropyRows } from "./kernels/cross-entropy.js";
import { ctcRows } from "./kernels/ctc.js";
import { embeddingRows } from "./kernels/embedding.js";
import { gatherRows } from "./kernels/gather.js";
import { gemmRows } from "./kernels/gemm.js";
import { hostResultRows } from "./kernels/host-results.js";
import { layerNormRows } from "./kernels/layer-norm.js";
import { maxPoolRows } from "./kernels/max-pool.js";
import { philoxRows } from "./kernels/philox.js";
import { putRowsRows } from "./kernels/put-rows.js";
import { recurrentRows } from "./kernels/recurrent.js";
import { reduceRows } from "./kernels/reduce.js";
import { reduceIntegersRows } from "./kernels/reduce-integers.js";
import { resampleRows } from "./kernels/resample.js";
import { scanRows } from "./kernels/scan.js";
import { softmaxRows } from "./kernels/softmax.js";
import { sortRows } from "./kernels/sort.js";
import type { KernelHost } from "./launch/kernel.js";

export function createKernelTable(host: KernelHost) {
  return {
    ...copyRows(host),
    ...philoxRows(host),
    ...columnsRows(host),
    ...resampleRows(host),
    ...maxPoolRows(host),
    ...putRowsRows(host),
    ...gemmRows(host),
    ...attentionRows(host),
    ...recurrentRows(host),
    ...ctcRows(host),
    ...hostResultRows(),
    ...reduceRows(host),
    ...argReduceRows(host),
    ...reduceIntegersRows(host),
    ...softmaxRows(host),
    ...layerNormRows(host),
    ...crossEntropyRows(host),
    ...embeddingRows(host),
    ...gatherRows(host),
    ...sortRows(host),
    ...scanRows(host),
  } satisfies KernelTable;
}
