/** @file What a backend decided once for its adapter. No choice changes a bit of a result: kernels that differ in one keep the order of additions. */
import { defaultTiles, type TileTable } from "./tile-table.js";

export interface KernelChoices {
  /** In which tiles products are computed. */
  tiles: TileTable;
  /** Neighbouring invocations of a workgroup whose values reductions may exchange in registers: a power of two; 0 for none. */
  subgroupSize: number;
}

/** Right on every adapter. */
export function defaultChoices(): KernelChoices {
  return { tiles: defaultTiles, subgroupSize: 0 };
}
