/** @file The specification of the recurrent ops in simple ones: one step after the other, rows past their length keeping their state. */
import { type RecurrentCell, recurrentCellSizes } from "../backend/recurrent-cell.js";
import type { Tensor } from "../tensor/tensor.js";
import { relu, sigmoid } from "./activations.js";
import { add, maximum, mul, sub } from "./arithmetic.js";
import { gt, where } from "./compare.js";
import { concat, split } from "./concat.js";
import { expand } from "./expand-sum.js";
import { gather } from "./gather.js";
import { linear } from "./linear.js";
import { tanh } from "./math.js";
import { reshape } from "./reshape.js";
import { narrow } from "./slice.js";

export interface RecurrentTensors {
  /** [B, T, G H] */
  readonly gates: Tensor;
  /** [G H, H] */
  readonly weight: Tensor;
  /** [G H] */
  readonly bias: Tensor;
  /** [B, H] */
  readonly h0: Tensor;
  /** [B, H], lstm only */
  readonly c0: Tensor | undefined;
  /** [B], i32 */
  readonly lengths: Tensor;
}

interface State {
  readonly h: Tensor;
  readonly c: Tensor | undefined;
}

/** One step: x and z are the pre-activations of each gate, [B, H] each. */
const steps: Readonly<Record<RecurrentCell, (x: readonly Tensor[], z: readonly Tensor[], before: State) => State>> = {
  lstm: (x, z, before) => {
    const [i, f, g, o] = x.map((value, gate) => add(value, z[gate]!)) as [Tensor, Tensor, Tensor, Tensor];
    const c = add(mul(sigmoid(f), before.c!), mul(sigmoid(i), tanh(g)));
    return { h: mul(sigmoid(o), tanh(c)), c };
  },
  gru: (x, z, { h, c }) => {
    const reset = sigmoid(add(x[0]!, z[0]!));
    const update = sigmoid(add(x[1]!, z[1]!));
    const candidate = tanh(add(x[2]!, mul(reset, z[2]!)));
    return { h: add(candidate, mul(update, sub(h, candidate))), c };
  },
  tanh: ([x], [z], { c }) => ({ h: tanh(add(x!, z!)), c }),
  relu: ([x], [z], { c }) => ({ h: relu(add(x!, z!)), c }),
};

export function recurrentComposite(
  cell: RecurrentCell,
  { gates, weight, bias, h0, c0, lengths }: RecurrentTensors,
  isReversed: boolean,
): readonly Tensor[] {
  const [B, T, width] = gates.shape as [number, number, number];
  const H = width / recurrentCellSizes[cell].numGates;
  const counts = reshape(lengths, [B, 1]);
  // Where the s-th step of a row lies: rows run from their own last step to their first when reversed.
  const placesOf = (s: number): Tensor => maximum(sub(counts, s + 1), 0); // [B, 1] i32
  const take = (x: Tensor, place: Tensor, size: number): Tensor =>
    reshape(gather(x, 1, expand(reshape(place, [B, 1, 1]), [B, 1, size])), [B, size]);
  let state: State = { h: h0, c: c0 };
  const inOrder = Array.from({ length: T }, (_, s) => {
    const isThere = gt(counts, s); // [B, 1]
    const x = isReversed ? take(gates, placesOf(s), width) : reshape(narrow(gates, 1, s, 1), [B, width]);
    const after = steps[cell](split(x, H, 1), split(linear(state.h, weight, bias), H, 1), state);
    const h = where(isThere, after.h, state.h);
    state = { h, c: state.c && where(isThere, after.c!, state.c) };
    return reshape(where(isThere, after.h, 0), [B, 1, H]);
  });
  const outputs = concat(inOrder, 1); // [B, T, H]
  const placed = Array.from({ length: T }, (_, t) =>
    reshape(where(gt(counts, t), take(outputs, placesOf(t), H), 0), [B, 1, H]),
  );
  const out = isReversed ? concat(placed, 1) : outputs;
  return state.c === undefined ? [out, state.h] : [out, state.h, state.c];
}
