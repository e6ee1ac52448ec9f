/**
 * @file Recurrent cells over all steps: a matrix product and one kernel of the cell for each step.
 *
 * Rows past their length get zeros and keep their state. The gradient of h before a step is what passes the weight by, and then the sum
 * over the G H pre-activations, as on the CPU. Legend: B batch, T sequence, H hidden units, G gates, S saved.
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
import { groupsOf, type KernelHost, type Operands, type WgslKernel, type WgslLibrary } from "../launch/kernel.js";
import { bits } from "../math/bits.js";
import { exponential } from "../math/exponentials.js";
import { copyRows } from "./copy.js";
import { gemmRows, swapped } from "./gemm.js";
import { cellCode } from "./recurrent-cells.js";

const sigmoid: WgslLibrary = {
  name: "sigmoid",
  requires: [bits, exponential],
  // Of -|x|, so that no infinity is divided by: a compiler may assume that there is none.
  code: "fn sigmoidOf(x: f32) -> f32 { let e = expOf(-abs(x)); return select(e, 1.0, x >= 0.0) / (1.0 + e); }",
};

/** Row b and unit j of an item, the row's length, and where the step lies in the sequence. */
const place = `
  if (item >= p.count) { return; }
  let b = item / p.hidden;
  let j = item % p.hidden;
  let length = u32(lengths_at(b));
  let isThere = p.step < length;
  let at = b * p.steps + select(p.step, length - 1u - p.step, isThere && p.isReversed == 1u);`;

const params = { count: "u32", hidden: "u32", steps: "u32", step: "u32", isReversed: "u32" } as const;

/** Accessors of one unit: positions in the sequence and unit are module-scope, so that functions can use them. */
const unit = "var<private> unitAt: u32; var<private> unitRow: u32; var<private> unitOf: u32;";

function forwardOf(cell: RecurrentCell): WgslKernel {
  const { numGates, numSaved, hasCellState } = recurrentCellSizes[cell];
  const operands: Record<string, Operands[string]> = {
    ...{ gates: "read f32", products: "read f32", lengths: "read i32", out: "write f32", hn: "write f32" },
    ...(hasCellState ? { cn: "write f32" as const } : {}),
    ...{ kept: "write f32", before: "write f32" },
  };
  return {
    name: `recurrent-${cell}`,
    operands,
    params: { ...params, gatesBatch: "u32", gatesTime: "u32" },
    uses: [sigmoid],
    declarations: `${unit}
fn x(k: u32) -> f32 { return gates_at(unitRow * p.gatesBatch + (unitAt - unitRow * p.steps) * p.gatesTime + k * p.hidden + unitOf); }
fn z(k: u32) -> f32 { return products_at((unitRow * ${numGates}u + k) * p.hidden + unitOf); }
fn save(k: u32, value: f32) { kept_put((unitAt * ${numSaved}u + k) * p.hidden + unitOf, value); }`,
    body: `${place}
  unitAt = at; unitRow = b; unitOf = j;
  if (!isThere) {
    for (var k = 0u; k < ${numSaved}u; k++) { save(k, 0.0); }
    before_put(at * p.hidden + j, 0.0);
    out_put(at * p.hidden + j, 0.0);
    return;
  }
  let h = hn_at(item);
  ${hasCellState ? "let c = cn_at(item);" : ""}
  ${cellCode[cell].forward}
  before_put(at * p.hidden + j, h);
  out_put(at * p.hidden + j, after);
  hn_put(item, after);
  ${hasCellState ? "cn_put(item, cellAfter);" : ""}`,
  };
}

function backwardOf(cell: RecurrentCell): WgslKernel {
  const { numGates, numSaved, hasCellState, hasOwnHiddenGradient } = recurrentCellSizes[cell];
  const needsBefore = cell === "gru";
  const operands: Record<string, Operands[string]> = {
    ...{ dOut: "read f32", lengths: "read i32", kept: "read f32" },
    ...(needsBefore ? { before: "read f32" as const } : {}),
    ...{ dh0: "write f32", dGates: "write f32", dz: "write f32" },
    ...(hasOwnHiddenGradient ? { dHidden: "write f32" as const } : {}),
    ...(hasCellState ? { dc0: "write f32" as const } : {}),
  };
  const hiddenToo = hasOwnHiddenGradient ? "" : "dz_put((unitRow * G + k) * p.hidden + unitOf, value);";
  return {
    name: `recurrentBackward-${cell}`,
    operands,
    params,
    uses: [sigmoid],
    declarations: `${unit}
const G = ${numGates}u;
fn saved(k: u32) -> f32 { return kept_at((unitAt * ${numSaved}u + k) * p.hidden + unitOf); }
fn give(k: u32, value: f32) { dGates_put((unitAt * G + k) * p.hidden + unitOf, value); ${hiddenToo} }
${
  hasOwnHiddenGradient
    ? `fn giveHidden(k: u32, value: f32) {
  dHidden_put((unitAt * G + k) * p.hidden + unitOf, value);
  dz_put((unitRow * G + k) * p.hidden + unitOf, value);
}`
    : ""
}`,
    body: `${place}
  unitAt = at; unitRow = b; unitOf = j;
  if (!isThere) {
    for (var k = 0u; k < G; k++) { give(k, 0.0); ${hasOwnHiddenGradient ? "giveHidden(k, 0.0);" : ""} }
    return;
  }
  let dh = dh0_at(item) + dOut_at(at * p.hidden + j);
  ${needsBefore ? "let h = before_at(at * p.hidden + j);" : ""}
  ${hasCellState ? "let dc = dc0_at(item);" : ""}
  ${cellCode[cell].backward}
  dh0_put(item, carry);
  ${hasCellState ? "dc0_put(item, cellCarry);" : ""}`,
  };
}

const cells = ["lstm", "gru", "tanh", "relu"] as const;
const byCell = (make: (cell: RecurrentCell) => WgslKernel) =>
  Object.fromEntries(cells.map((cell) => [cell, make(cell)])) as Record<RecurrentCell, WgslKernel>;
const forwardKernels = byCell(forwardOf);
const backwardKernels = byCell(backwardOf);

export function recurrentRows(host: KernelHost): Pick<KernelTable, "recurrent" | "recurrentBackward"> {
  const { copy } = copyRows(host);
  const { matmul } = gemmRows(host);

  const forward = (
    cell: RecurrentCell,
    inputs: RecurrentInputs,
    isReversed: boolean,
    outputs: RecurrentOutputs,
  ): void => {
    const { out, hn, cn, saved: kept, before } = outputs;
    const [batch = 0, steps = 0, hidden = 0] = out.shape;
    const count = batch * hidden;
    if (count === 0) return;
    copy(inputs.h0, hn);
    if (cn !== undefined) copy(inputs.c0!, cn);
    const weight = swapped(inputs.weight); // [H, G H]
    const { gates, lengths } = inputs;
    const sizes = { count, hidden, steps, isReversed: isReversed ? 1 : 0 };
    const strides = { gatesBatch: gates.strides[0]!, gatesTime: gates.strides[1]! };
    host.withTemporary([batch, weight.shape[1]!], "f32", (products) => {
      for (let step = 0; step < steps; step++) {
        matmul(hn, weight, products, { bias: inputs.bias });
        const operands = { gates, products, lengths, out, hn, ...(cn === undefined ? {} : { cn }), kept, before };
        host.launch(forwardKernels[cell], operands, { ...sizes, ...strides, step }, { groups: groupsOf(count) });
      }
    });
  };

  const backward = (
    cell: RecurrentCell,
    inputs: RecurrentBackwardInputs,
    isReversed: boolean,
    { dGates, dHidden, dH0: dh0, dC0: dc0 }: RecurrentGradients,
  ): void => {
    const { dOut, dHn, dCn, weight, lengths, saved: kept, before } = inputs;
    const [batch = 0, steps = 0, hidden = 0] = dOut.shape;
    const count = batch * hidden;
    if (count === 0) return;
    copy(dHn, dh0);
    if (dc0 !== undefined) copy(dCn!, dc0);
    const sizes = { count, hidden, steps, isReversed: isReversed ? 1 : 0 };
    const all: Record<string, TensorView | undefined> = { dOut, lengths, kept, before, dh0, dGates, dHidden, dc0 };
    host.withTemporary([batch, weight.shape[0]!], "f32", (dz) => {
      const kernel = backwardKernels[cell];
      const operands = Object.fromEntries(
        Object.keys(kernel.operands).map((name) => [name, name === "dz" ? dz : all[name]!]),
      );
      for (let step = steps - 1; step >= 0; step--) {
        host.launch(kernel, operands, { ...sizes, step }, { groups: groupsOf(count) });
        matmul(dz, weight, dh0, { accumulate: true });
      }
    });
  };

  return { recurrent: forward, recurrentBackward: backward };
}
