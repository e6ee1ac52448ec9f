/** @file All structural kernels of the CPU backend: one module, one table. */
import type { KernelTable } from "../backend/kernel-table.js";
import type { Kernel, KernelHost } from "./kernel.js";
import { argReduceRoom } from "./kernels/arg-reduce.js";
import { attentionRoom } from "./kernels/attention.js";
import { columnsRoom } from "./kernels/columns.js";
import { copyRoom } from "./kernels/copy.js";
import { crossEntropyRoom } from "./kernels/cross-entropy.js";
import { ctcRoom } from "./kernels/ctc.js";
import { embeddingRoom } from "./kernels/embedding.js";
import { flatRoom } from "./kernels/flat.js";
import { gatherRoom } from "./kernels/gather.js";
import { gemmRoom } from "./kernels/gemm.js";
import { layerNormRoom } from "./kernels/layer-norm.js";
import { maxPoolRoom } from "./kernels/max-pool.js";
import { philoxRoom } from "./kernels/philox.js";
import { putRowsRoom } from "./kernels/put-rows.js";
import { recurrentRoom } from "./kernels/recurrent.js";
import { reduceRoom } from "./kernels/reduce.js";
import { reduceIntegersRoom } from "./kernels/reduce-integers.js";
import { resampleRoom } from "./kernels/resample.js";
import { scanRoom } from "./kernels/scan.js";
import { softmaxRoom } from "./kernels/softmax.js";
import { sortRoom } from "./kernels/sort.js";

const rooms = [
  copyRoom,
  reduceRoom,
  argReduceRoom,
  philoxRoom,
  flatRoom,
  gemmRoom,
  attentionRoom,
  softmaxRoom,
  layerNormRoom,
  crossEntropyRoom,
  embeddingRoom,
  gatherRoom,
  columnsRoom,
  resampleRoom,
  maxPoolRoom,
  putRowsRoom,
  scanRoom,
  sortRoom,
  recurrentRoom,
  ctcRoom,
  reduceIntegersRoom,
] as const;

/** Everything that goes into the structural module. */
export function structuralKernels(): readonly Kernel[] {
  return rooms.flatMap((room) => room.kernels);
}

export function createKernelTable(host: KernelHost) {
  return {
    ...copyRoom.rows(host),
    ...reduceRoom.rows(host),
    ...argReduceRoom.rows(host),
    ...philoxRoom.rows(host),
    ...flatRoom.rows(host),
    ...gemmRoom.rows(host),
    ...attentionRoom.rows(host),
    ...softmaxRoom.rows(host),
    ...layerNormRoom.rows(host),
    ...crossEntropyRoom.rows(host),
    ...embeddingRoom.rows(host),
    ...gatherRoom.rows(host),
    ...columnsRoom.rows(host),
    ...resampleRoom.rows(host),
    ...maxPoolRoom.rows(host),
    ...putRowsRoom.rows(host),
    ...scanRoom.rows(host),
    ...sortRoom.rows(host),
    ...recurrentRoom.rows(host),
    ...ctcRoom.rows(host),
    ...reduceIntegersRoom.rows(host),
  } satisfies KernelTable;
}
