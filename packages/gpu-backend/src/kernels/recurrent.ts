/**
 * @file Recurrent cells over all steps: a product of the states with the weight, then the cell, step after step. Launches depend on shapes alone;
 * lengths stay on the device, so every row walks all T steps.
 *
 * The states run in the outputs: hn and cn forwards, dH0 and dC0 backwards. Legend: B batch, T sequence, H hidden units, G gates.
 */
import type { TensorView } from "@lockstep/core";
import {
  type KernelTable,
  type RecurrentBackwardInputs,
  type RecurrentCell,
  type RecurrentGradients,
  type RecurrentInputs,
  type RecurrentOutputs,
  recurrentCellSizes,
} from "@lockstep/core/backend";
import { groupsOf, type KernelHost } from "../launch/kernel.js";
import { copyRows } from "./copy.js";
import { matmulOn, swapped } from "./gemm.js";
import { recurrentSteps } from "./recurrent-cells.js";

/** What an operand that the cell has not leaves out. */
function present(operands: Readonly<Record<string, TensorView | undefined>>): Record<string, TensorView> {
  const entries = Object.entries(operands).filter((entry): entry is [string, TensorView] => entry[1] !== undefined);
  return Object.fromEntries(entries);
}

interface Call<I, O> {
  readonly inputs: I;
  readonly outputs: O;
  readonly isReversed: boolean;
}

function forward(
  host: KernelHost,
  cell: RecurrentCell,
  { inputs, outputs, isReversed }: Call<RecurrentInputs, RecurrentOutputs>,
): void {
  const { gates, weight, bias, h0, c0, lengths } = inputs;
  const { out, hn, cn, saved, before } = outputs;
  const [batch = 0, steps = 0, hidden = 0] = out.shape;
  const { copy } = copyRows(host);
  copy(h0, hn);
  if (c0 !== undefined && cn !== undefined) copy(c0, cn);
  if (batch * steps * hidden === 0) return;
  const [gatesBatch = 0, gatesTime = 0] = gates.strides;
  const sizes = { batch, steps, hidden, isReversed: isReversed ? 1 : 0, gatesBatch, gatesTime };
  host.withTemporary([batch, recurrentCellSizes[cell].numGates * hidden], "f32", (z) => {
    const operands = present({ gates, z, lengths, cn, hn, out, saved, before });
    for (let step = 0; step < steps; step++) {
      matmulOn(host, [hn, swapped(weight)], z, { bias });
      host.launch(recurrentSteps[cell].forward, operands, { ...sizes, step }, { groups: groupsOf(batch * hidden) });
    }
  });
}

function backward(
  host: KernelHost,
  cell: RecurrentCell,
  { inputs, outputs, isReversed }: Call<RecurrentBackwardInputs, RecurrentGradients>,
): void {
  const { dOut, dHn, dCn, weight, lengths, saved, before } = inputs;
  const { dGates, dHidden, dH0, dC0 } = outputs;
  const [batch = 0, steps = 0, hidden = 0] = dOut.shape;
  const { copy } = copyRows(host);
  copy(dHn, dH0);
  if (dCn !== undefined && dC0 !== undefined) copy(dCn, dC0);
  if (batch * steps * hidden === 0) return;
  const sizes = { batch, steps, hidden, isReversed: isReversed ? 1 : 0 };
  host.withTemporary([batch, recurrentCellSizes[cell].numGates * hidden], "f32", (dz) => {
    const operands = present({ dOut, lengths, saved, before, dHidden, dC0, dH0, dGates, dz });
    for (let step = steps - 1; step >= 0; step--) {
      host.launch(recurrentSteps[cell].backward, operands, { ...sizes, step }, { groups: groupsOf(batch * hidden) });
      matmulOn(host, [dz, weight], dH0, { accumulate: true });
    }
  });
}

export function recurrentRows(host: KernelHost) {
  return {
    recurrent: (cell, inputs, isReversed, outputs) => forward(host, cell, { inputs, outputs, isReversed }),
    recurrentBackward: (cell, inputs, isReversed, outputs) => backward(host, cell, { inputs, outputs, isReversed }),
  } satisfies Partial<KernelTable>;
}
