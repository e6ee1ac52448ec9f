/** @file The recurrent cells in f64, row by row and step by step. Legend: B batch, T sequence, H hidden units, G gates. */
import { type RecurrentCell, recurrentCellSizes } from "../backend/recurrent-cell.js";
import { hostExp, hostTanh } from "../expr/host-math.js";
import type { ReferenceArray } from "./contract.js";

export interface RecurrentReferenceInputs {
  readonly gates: ReferenceArray;
  readonly weight: ReferenceArray;
  readonly bias: ReferenceArray;
  readonly h0: ReferenceArray;
  readonly c0: ReferenceArray | undefined;
  readonly lengths: ReferenceArray;
}

interface State {
  readonly h: number;
  readonly c: number;
}
/** One hidden unit: x and z of each gate, and the state before. */
type Step = (x: readonly number[], z: readonly number[], before: State) => State;

const sigmoid = (x: number): number => 1 / (1 + hostExp(-x));

const steps: Readonly<Record<RecurrentCell, Step>> = {
  lstm: (x, z, before) => {
    const [i, f, g, o] = x.map((value, gate) => value + z[gate]!) as [number, number, number, number];
    const c = sigmoid(f) * before.c + sigmoid(i) * hostTanh(g);
    return { h: sigmoid(o) * hostTanh(c), c };
  },
  gru: (x, z, { h, c }) => {
    const reset = sigmoid(x[0]! + z[0]!);
    const update = sigmoid(x[1]! + z[1]!);
    const candidate = hostTanh(x[2]! + reset * z[2]!);
    return { h: (1 - update) * candidate + update * h, c };
  },
  tanh: ([x], [z], { c }) => ({ h: hostTanh(x! + z!), c }),
  relu: ([x], [z], { c }) => ({ h: Math.max(0, x! + z!), c }),
};

/** out [B, T, H], hn [B, H], and cn where the cell has one. */
export function recurrentReference(
  cell: RecurrentCell,
  { gates, weight, bias, h0, c0, lengths }: RecurrentReferenceInputs,
  isReversed: boolean,
): readonly ReferenceArray[] {
  const [B, T] = gates.shape as [number, number, number];
  const H = h0.shape[1]!;
  const { numGates } = recurrentCellSizes[cell];
  const out = new Float64Array(B * T * H);
  const hn = h0.values.slice();
  const cn = c0?.values.slice();
  for (let b = 0; b < B; b++) {
    const h = hn.subarray(b * H, (b + 1) * H);
    const c = cn?.subarray(b * H, (b + 1) * H);
    const length = lengths.values[b]!;
    for (let s = 0; s < length; s++) {
      const place = b * T + (isReversed ? length - 1 - s : s);
      const row = gates.values.subarray(place * numGates * H, (place + 1) * numGates * H);
      const z = bias.values.map((value, i) =>
        h.reduce((total, unit, k) => total + unit * weight.values[i * H + k]!, value),
      );
      for (let j = 0; j < H; j++) {
        const ofGates = (values: Float64Array) => Array.from({ length: numGates }, (_, gate) => values[gate * H + j]!);
        const after = steps[cell](ofGates(row), ofGates(z), { h: h[j]!, c: c?.[j] ?? 0 });
        h[j] = after.h;
        if (c !== undefined) c[j] = after.c;
      }
      out.set(h, place * H);
    }
  }
  const states = [
    { shape: [B, T, H], values: out },
    { shape: [B, H], values: hn },
  ];
  return cn === undefined ? states : [...states, { shape: [B, H], values: cn }];
}
