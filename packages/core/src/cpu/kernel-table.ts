/** @file All structural kernels of the CPU backend: one module, one table. */
import type { KernelTable } from "../backend/kernel-table.js";
import type { Kernel, KernelHost } from "./kernel.js";
import { argReduceRoom } from "./kernels/arg-reduce.js";
import { copyRoom } from "./kernels/copy.js";
import { flatRoom } from "./kernels/flat.js";
import { philoxRoom } from "./kernels/philox.js";
import { reduceRoom } from "./kernels/reduce.js";

const rooms = [copyRoom, reduceRoom, argReduceRoom, philoxRoom, flatRoom] as const;

/** Everything that goes into the structural module. */
export function structuralKernels(): readonly Kernel[] {
  return rooms.flatMap((room) => room.kernels);
}

export function createKernelTable(host: KernelHost): KernelTable {
  const rows = {
    ...copyRoom.rows(host),
    ...reduceRoom.rows(host),
    ...argReduceRoom.rows(host),
    ...philoxRoom.rows(host),
    ...flatRoom.rows(host),
  };
  return new Proxy(rows, {
    get(target, name) {
      const row = Reflect.get(target, name);
      if (row === undefined) throw new Error(`cpu: kernel "${String(name)}" is not there yet.`);
      return row;
    },
  }) as unknown as KernelTable;
}
