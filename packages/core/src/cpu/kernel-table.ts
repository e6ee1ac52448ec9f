/** @file All structural kernels of the CPU backend: one module, one table. */
import type { KernelTable } from "../backend/kernel-table.js";
import type { Kernel, KernelHost } from "./kernel.js";

const rooms = [] as const;

/** Everything that goes into the structural module. */
export function structuralKernels(): readonly Kernel[] {
  return rooms.flatMap((room: { kernels: readonly Kernel[] }) => room.kernels);
}

export function createKernelTable(_host: KernelHost): KernelTable {
  const rows = {};
  return new Proxy(rows, {
    get(target, name) {
      const row = Reflect.get(target, name);
      if (row === undefined) throw new Error(`cpu: kernel "${String(name)}" is not there yet.`);
      return row;
    },
  }) as KernelTable;
}
