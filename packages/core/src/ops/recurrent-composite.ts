/** @file The specification of the recurrent ops in simple ones: each row by itself, one step after the other. */
import { type RecurrentCell, recurrentCellSizes } from "../backend/recurrent-cell.js";
import { zerosLike } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";
import { relu, sigmoid } from "./activations.js";
import { add, mul, sub } from "./arithmetic.js";
import { concat, split } from "./concat.js";
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

/** One step: x and z are the pre-activations of each gate, [1, H] each. */
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
  const counts = lengths.dataSync();
  const rows = Array.from({ length: B }, (_, b) => {
    const length = counts[b]!;
    const pick = (x: Tensor): Tensor => narrow(x, 0, b, 1); // [1, H]
    let state: State = { h: pick(h0), c: c0 && pick(c0) };
    const outputs = Array.from({ length: T }, () => zerosLike({ dtype: "f32", backend: h0.backend, shape: [1, 1, H] }));
    for (let s = 0; s < length; s++) {
      const t = isReversed ? length - 1 - s : s;
      const x = reshape(narrow(pick(gates), 1, t, 1), [1, width]);
      state = steps[cell](split(x, H, 1), split(linear(state.h, weight, bias), H, 1), state);
      outputs[t] = reshape(state.h, [1, 1, H]);
    }
    return { out: concat(outputs, 1), ...state };
  });
  const states = [concat(rows.map(({ out }) => out)), concat(rows.map(({ h }) => h))];
  return c0 === undefined ? states : [...states, concat(rows.map(({ c }) => c!))];
}
