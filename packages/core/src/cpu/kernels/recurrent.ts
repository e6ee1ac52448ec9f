/**
 * @file The host side of the recurrent kernels: packs the weight once, lays out scratch memory, launches.
 *
 * Legend: B batch, T sequence, H hidden units, G gates.
 */
import type { TensorView } from "../../backend/backend.js";
import type {
  KernelTable,
  RecurrentBackwardInputs,
  RecurrentGradients,
  RecurrentInputs,
  RecurrentOutputs,
} from "../../backend/kernel-table.js";
import { type RecurrentCell, recurrentCellSizes } from "../../backend/recurrent-cell.js";
import { defineKernel, type KernelHost, type KernelRoom } from "../kernel.js";
import { layOut, packedBytes } from "./attention-layout.js";
import { type Packers, packColumns, packSlackBytes } from "./gemm-pack.js";
import { tileRows } from "./gemm-tile.js";
import { recurrentBackward } from "./recurrent-backward.js";
import { recurrentForward } from "./recurrent-forward.js";
import { blockRows } from "./recurrent-rows.js";
import { scratchRowBytes } from "./row-loop.js";

/** Multiply-adds that take about 20 us. */
const grainWork = 400_000;

const packArgs = { source: "i32", stride: "i32", lines: "i32", depth: "i32", to: "i32" } as const;

/** One item: the weight in panels of 8 lines. */
function packKernel(way: keyof Packers) {
  return defineKernel(`recurrentPack-${way}`, packArgs, ({ f, arg, context }) => {
    for (const name of ["source", "stride", "lines", "depth", "to"] as const) f.get(arg(name));
    f.call(context.indexOf(packColumns[way]));
  });
}
const packAlong = packKernel("alongDepth");
const packAcross = packKernel("acrossLines");

/** [B, T, H] and how items split. */
function sizesOf(out: TensorView, cell: RecurrentCell) {
  const [batch = 0, steps = 0, hidden = 0] = out.shape;
  const { numGates } = recurrentCellSizes[cell];
  const numItems = Math.ceil(batch / tileRows);
  const itemWork = tileRows * steps * hidden * (numGates * hidden + 64);
  return { batch, steps, hidden, numGates, numItems, grain: Math.ceil(grainWork / Math.max(1, itemWork)) };
}

const rowStride = (view: TensorView): number => 4 * (view.strides[view.strides.length - 2] ?? 0);

function packedRowBytes(depth: number): number {
  return Math.ceil((4 * blockRows * depth + packSlackBytes) / 64) * 64;
}

function forward(
  host: KernelHost,
  cell: RecurrentCell,
  { inputs, outputs, isReversed }: { inputs: RecurrentInputs; outputs: RecurrentOutputs; isReversed: boolean },
): void {
  const { batch, steps, hidden, numGates, numItems, grain } = sizesOf(outputs.out, cell);
  if (batch === 0) return;
  const addressOf = (view: TensorView | undefined): number => (view === undefined ? 0 : host.addressOf(view));
  const { gates, weight, h0, c0 } = inputs;
  const zRow = scratchRowBytes(numGates * hidden);
  const stateRow = scratchRowBytes(hidden);
  const { offsets, total } = layOut({
    packed: packedRowBytes(hidden),
    z: blockRows * zRow,
    h: blockRows * stateRow,
    c: blockRows * stateRow,
  });
  host.withTemporary(packedBytes(numGates * hidden, hidden), (panels) => {
    const pack = { source: host.addressOf(weight), stride: rowStride(weight), lines: numGates * hidden, depth: hidden };
    host.launch(packAlong, { ...pack, to: panels }, { numItems: 1, grain: Number.POSITIVE_INFINITY });
    const args = {
      ...{ batch, steps, hidden, isReversed: isReversed ? 1 : 0, panels, zRow, stateRow },
      gates: host.addressOf(gates),
      gatesBatch: 4 * (gates.strides[0] ?? 0),
      gatesTime: 4 * (gates.strides[1] ?? 0),
      bias: host.addressOf(inputs.bias),
      h0: host.addressOf(h0),
      h0Row: rowStride(h0),
      c0: addressOf(c0),
      c0Row: c0 === undefined ? 0 : rowStride(c0),
      lengths: host.addressOf(inputs.lengths),
      out: host.addressOf(outputs.out),
      hn: host.addressOf(outputs.hn),
      cn: addressOf(outputs.cn),
      saved: host.addressOf(outputs.saved),
      before: host.addressOf(outputs.before),
      ...offsets,
    };
    host.launch(recurrentForward[cell], args, { numItems, grain, scratchBytes: total });
  });
}

function backward(
  host: KernelHost,
  cell: RecurrentCell,
  at: { inputs: RecurrentBackwardInputs; outputs: RecurrentGradients; isReversed: boolean },
): void {
  const { inputs, outputs, isReversed } = at;
  const { batch, steps, hidden, numGates, numItems, grain } = sizesOf(inputs.dOut, cell);
  if (batch === 0) return;
  const addressOf = (view: TensorView | undefined): number => (view === undefined ? 0 : host.addressOf(view));
  const gateUnits = numGates * hidden;
  const dzRow = scratchRowBytes(gateUnits);
  const stateRow = scratchRowBytes(hidden);
  const { offsets, total } = layOut({
    dz: blockRows * dzRow,
    packed: packedRowBytes(gateUnits),
    carry: blockRows * stateRow,
    cellCarry: blockRows * stateRow,
  });
  host.withTemporary(packedBytes(gateUnits, hidden), (panels) => {
    const { weight } = inputs;
    const pack = { source: host.addressOf(weight), stride: rowStride(weight), lines: hidden, depth: gateUnits };
    host.launch(packAcross, { ...pack, to: panels }, { numItems: 1, grain: Number.POSITIVE_INFINITY });
    const args = {
      ...{ batch, steps, hidden, isReversed: isReversed ? 1 : 0, panels, dzRow, stateRow },
      dOut: host.addressOf(inputs.dOut),
      dHn: host.addressOf(inputs.dHn),
      dCn: addressOf(inputs.dCn),
      lengths: host.addressOf(inputs.lengths),
      saved: host.addressOf(inputs.saved),
      before: host.addressOf(inputs.before),
      dGates: host.addressOf(outputs.dGates),
      dHidden: addressOf(outputs.dHidden),
      dH0: host.addressOf(outputs.dH0),
      dC0: addressOf(outputs.dC0),
      ...offsets,
    };
    host.launch(recurrentBackward[cell], args, { numItems, grain, scratchBytes: total });
  });
}

export const recurrentRoom: KernelRoom<Pick<KernelTable, "recurrent" | "recurrentBackward">> = {
  kernels: [packAlong, packAcross, ...Object.values(recurrentForward), ...Object.values(recurrentBackward)],
  rows: (host) => ({
    recurrent: (cell, inputs, isReversed, outputs) => forward(host, cell, { inputs, outputs, isReversed }),
    recurrentBackward: (cell, inputs, isReversed, outputs) => backward(host, cell, { inputs, outputs, isReversed }),
  }),
};
