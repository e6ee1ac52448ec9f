/**
 * @file Recurrent cells over whole sequences: lstm, gru and the two plain ones, fused over all steps.
 *
 * The input's side of the pre-activations comes in as one product over all steps (`gates`); the op adds the hidden state's. Weight
 * gradients are one product over all steps again.
 * Legend: B batch, T sequence, H hidden units, G gates (4 for lstm, 3 for gru, 1 for the plain cells).
 */
import type { RecurrentBackwardInputs } from "../backend/kernel-table.js";
import { type RecurrentCell, recurrentCellSizes } from "../backend/recurrent-cell.js";
import { DTypeError, ShapeError } from "../errors.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural, type StructuralOp } from "./apply.js";
import { asContiguous, runBackwardKernel } from "./backward-kernel.js";
import type { Sample, TensorSpec, Vjp } from "./contract.js";
import { sum } from "./expand-sum.js";
import { matmul } from "./matmul.js";
import { transpose } from "./permute.js";
import { recurrentComposite } from "./recurrent-composite.js";
import { recurrentReference } from "./recurrent-reference.js";
import { reshape } from "./reshape.js";
import { i32Values, normal } from "./samples.js";

export interface RecurrentAttrs {
  /** Each row from its last step to its first. */
  readonly isReversed: boolean;
}

/** Inputs gates, weight, bias, h0, c0 (lstm only), lengths, by name. */
function named<X>(cell: RecurrentCell, inputs: readonly X[]) {
  const [gates, weight, bias, h0] = inputs as readonly [X, X, X, X];
  const c0 = recurrentCellSizes[cell].hasCellState ? inputs[4] : undefined;
  return { gates, weight, bias, h0, c0, lengths: inputs[inputs.length - 1]! };
}

function checkRecurrent(where: string, cell: RecurrentCell, inputs: readonly TensorSpec[]): readonly TensorSpec[] {
  const { lengths, ...floats } = named(cell, inputs);
  const { numGates, numSaved, hasCellState } = recurrentCellSizes[cell];
  for (const [name, spec] of Object.entries(floats)) {
    if (spec !== undefined && spec.dtype !== "f32")
      throw new DTypeError(`${where}: ${name} is ${spec.dtype}; it must be f32.`, { [name]: spec.dtype });
  }
  if (lengths.dtype !== "i32")
    throw new DTypeError(`${where}: lengths are ${lengths.dtype}; they must be i32.`, { lengths: lengths.dtype });
  const { gates } = floats;
  const [B, T] = gates.shape;
  const H = floats.weight.shape[1];
  const expected = { gates: [B, T, numGates * H!], weight: [numGates * H!, H], bias: [numGates * H!], h0: [B, H] };
  const all = { ...expected, ...(hasCellState ? { c0: [B, H] } : {}), lengths: [B] } as Record<string, number[]>;
  for (const [name, shape] of Object.entries(all)) {
    const found = named(cell, inputs)[name as keyof ReturnType<typeof named>] as TensorSpec;
    if (gates.shape.length === 3 && shapesEqual(found.shape, shape)) continue;
    throw new ShapeError(
      `${where}: ${name} is ${formatShape(found.shape)}, with gates ${formatShape(gates.shape)} and weight ${formatShape(floats.weight.shape)}; gates must be [B,T,${numGates}H], weight [${numGates}H,H], bias [${numGates}H], states [B,H] and lengths [B].`,
      { [name]: found.shape, gates: gates.shape, weight: floats.weight.shape },
    );
  }
  const [b, t, h] = [B!, T!, H!];
  return [
    { shape: [b, t, h], dtype: "f32" },
    { shape: [b, h], dtype: "f32" },
    ...(hasCellState ? [{ shape: [b, h], dtype: "f32" } as const] : []),
    { shape: [b, t, numSaved * h], dtype: "f32" },
    { shape: [b, t, h], dtype: "f32" },
  ];
}

function vjpOf(name: string, cell: RecurrentCell): Vjp<RecurrentAttrs> {
  const { hasCellState, hasOwnHiddenGradient } = recurrentCellSizes[cell];
  const numInputs = hasCellState ? 6 : 5;
  const firstHidden = hasCellState ? 3 : 2;
  return {
    saves: { inputs: [1, numInputs - 1], outputs: [firstHidden, firstHidden + 1] },
    pull: ({ inputs, outputs, inputShapes, needs, attrs: { isReversed } }, ...cotangents) => {
      const [dOut, dHn, dCn] = cotangents.map(asContiguous);
      const [saved, before] = [outputs[firstHidden]!, outputs[firstHidden + 1]!];
      const given: RecurrentBackwardInputs = {
        ...{ dOut: dOut!, dHn: dHn!, dCn, saved, before },
        weight: inputs[1]!,
        lengths: inputs[numInputs - 1]!,
      };
      const gates = { shape: inputShapes[0]!, dtype: "f32" as const };
      const state = { shape: inputShapes[3]!, dtype: "f32" as const };
      const specs = [gates, state, ...(hasOwnHiddenGradient ? [gates] : []), ...(hasCellState ? [state] : [])];
      const all = { inputs: [...cotangents, inputs[1]!, saved], outputs: specs };
      const [dGates, dH0, third] = runBackwardKernel(`${name}Backward`, all, (backend, made) => {
        const [d0, d1, d2] = made;
        const results = { dHidden: hasOwnHiddenGradient ? d2 : undefined, dC0: hasCellState ? d2 : undefined };
        backend.kernels.recurrentBackward(cell, given, isReversed, { dGates: d0!, dH0: d1!, ...results });
      });
      const units = inputShapes[0]![2]!;
      const dHidden = reshape(hasOwnHiddenGradient ? third! : dGates!, [-1, units]); // [B T, G H]
      const dWeight = needs[1] ? matmul(transpose(dHidden), reshape(before, [-1, inputShapes[3]![1]!])) : undefined;
      const dBias = needs[2] ? sum(dHidden, 0) : undefined;
      return [dGates, dWeight, dBias, dH0, ...(hasCellState ? [third] : []), undefined];
    },
  };
}

function samplesOf(cell: RecurrentCell): Sample<RecurrentAttrs>[] {
  const { numGates, hasCellState } = recurrentCellSizes[cell];
  const inputs = (B: number, T: number, H: number, lengths: readonly number[]) => [
    normal([B, T, numGates * H]),
    normal([numGates * H, H], 0, 0.5),
    normal([numGates * H]),
    normal([B, H]),
    ...(hasCellState ? [normal([B, H])] : []),
    i32Values(lengths),
  ];
  const [forwards, backwards] = [{ isReversed: false }, { isReversed: true }];
  return [
    { name: "odd sizes", inputs: inputs(3, 4, 5, [4, 4, 4]), attrs: forwards },
    { name: "unequal lengths, one empty", inputs: inputs(5, 4, 3, [2, 4, 0, 1, 3]), attrs: forwards },
    { name: "reversed, unequal lengths", inputs: inputs(5, 3, 4, [2, 3, 1, 3, 2]), attrs: backwards },
    { name: "one step, one unit", inputs: inputs(1, 1, 1, [1]), attrs: backwards },
    {
      name: "larger than a block of rows and a tile",
      inputs: inputs(
        37,
        3,
        17,
        Array.from({ length: 37 }, (_, b) => 1 + (b % 3)),
      ),
      attrs: forwards,
      checkVjp: false,
    },
  ];
}

function define(name: string, cell: RecurrentCell): StructuralOp<RecurrentAttrs> {
  const { hasCellState } = recurrentCellSizes[cell];
  return defineStructural<RecurrentAttrs>({
    name,
    layout: "lastUnit",
    numVisible: hasCellState ? 3 : 2,
    shapeRule: (inputs) => checkRecurrent(name, cell, inputs),
    reference: (inputs, { isReversed }) => recurrentReference(cell, named(cell, inputs), isReversed),
    run: (backend, inputs, outputs, { isReversed }) => {
      const [saved, before] = outputs.slice(-2) as [Tensor, Tensor];
      const visible = { out: outputs[0]!, hn: outputs[1]!, cn: hasCellState ? outputs[2] : undefined };
      backend.kernels.recurrent(cell, named(cell, inputs), isReversed, { ...visible, saved, before });
    },
    vjp: vjpOf(name, cell),
    reductionLength: ([gates, weight]) => gates![1]! * weight![1]!,
    composite: (inputs, { isReversed }) => recurrentComposite(cell, named(cell, inputs), isReversed),
    samples: samplesOf(cell),
  });
}

export const lstmOp = define("lstm", "lstm");
export const gruOp = define("gru", "gru");
export const rnnTanhOp = define("rnnTanh", "tanh");
export const rnnReluOp = define("rnnRelu", "relu");
