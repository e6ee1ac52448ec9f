/** @file All structural kernels of the CPU backend: one module, one table. */
import type { KernelTable } from "../backend/kernel-table.js";
import type { Kernel, KernelHost } from "./kernel.js";
import { argReduceRoom } from "./kernels/arg-reduce.js";
import { attentionRoom } from "./kernels/attention.js";
import { columnsRoom } from "./kernels/columns.js";
import { copyRoom } from "./kernels/copy.js";
import { crossEntropyRoom } from "./kernels/cross-entropy.js";
import { embeddingRoom } from "./kernels/embedding.js";
import { flatRoom } from "./kernels/flat.js";
import { gatherRoom } from "./kernels/gather.js";
import { gemmRoom } from "./kernels/gemm.js";
import { layerNormRoom } from "./kernels/layer-norm.js";
import { maxPoolRoom } from "./kernels/max-pool.js";
import { philoxRoom } from "./kernels/philox.js";
import { putRowsRoom } from "./kernels/put-rows.js";
import { reduceRoom } from "./kernels/reduce.js";
    ...putRowsRoom.rows(host),
    ...scanRoom.rows(host),
    ...sortRoom.rows(host),
