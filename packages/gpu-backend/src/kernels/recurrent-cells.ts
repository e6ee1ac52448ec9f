/**
 * @file One step of a recurrent cell, an invocation a hidden unit of a row; and its gradient.
 *
 *   lstm        i, f, o = sigmoid(.)   g = tanh(.)   c' = f c + i g   h' = o tanh(c')
 *   gru         r, u = sigmoid(x + z)   n = tanh(x + r z)   h' = n + u (h - n)
 *   tanh, relu  h' = tanh(x + z), max(x + z, 0)
 *
 * x is the input's side of a pre-activation, z the hidden state's. Row b takes step s at time s, or lengths[b] - 1 - s where reversed; a step past
 * its length writes the zeros of time s. Legend: B batch, T sequence, H hidden units, G gates, S saved.
 */
import { type RecurrentCell, recurrentCellSizes } from "@lockstep/core/backend";
import { defineKernel, type Operands, type WgslLibrary } from "../launch/kernel.js";
import { bits } from "../math/bits.js";
import { exponential } from "../math/exponentials.js";

const sigmoid: WgslLibrary = {
  name: "sigmoid",
  requires: [exponential],
  code: `
fn sigmoidOf(x: f32) -> f32 {
  let e = expOf(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}`,
};

const params = { batch: "u32", steps: "u32", hidden: "u32", step: "u32", isReversed: "u32" } as const;

const each = (count: number, text: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => text(i)).join("\n  ");

/** Where row b stands: `place` is its index among [B, T], `unit` the one among [B, H]. */
const placeText = `
  if (item >= p.batch * p.hidden) { return; }
  let b = item / p.hidden;
  let unit = item;
  let j = item % p.hidden;
  let length = u32(lengths_at(b));
  let isIn = p.step < length;
  let time = select(p.step, length - 1u - p.step, isIn && p.isReversed == 1u);
  let place = b * p.steps + time;`;

/** Sets h1 (and c1), and saves what is read again. x0.., z0.., h (and c) are given. */
const forwardText: Readonly<Record<RecurrentCell, string>> = {
  lstm: `
  let i = sigmoidOf(x0 + z0); let f = sigmoidOf(x1 + z1); let g = tanhOf(x2 + z2); let o = sigmoidOf(x3 + z3);
  let c1 = f * c + i * g;
  let tanhC = tanhOf(c1);
  let h1 = o * tanhC;
  let s0 = i; let s1 = f; let s2 = g; let s3 = o; let s4 = tanhC; let s5 = c;`,
  gru: `
  let r = sigmoidOf(x0 + z0); let u = sigmoidOf(x1 + z1); let n = tanhOf(x2 + r * z2);
  let h1 = n + u * (h - n);
  let s0 = r; let s1 = u; let s2 = n; let s3 = z2;`,
  tanh: "let h1 = tanhOf(x0 + z0); let s0 = h1;",
  relu: "let h1 = larger(x0 + z0, 0.0); let s0 = h1;",
};

/** Sets d0.. (of the input's side), e0.. (of the hidden side), dh1 and dc1 for the step before. s0.., dh, dc and before are given. */
const backwardText: Readonly<Record<RecurrentCell, string>> = {
  lstm: `
  let total = dh * s3 * (1.0 - s4 * s4) + dc;
  let d0 = total * s2 * (s0 * (1.0 - s0)); let d1 = total * s5 * (s1 * (1.0 - s1));
  let d2 = total * s0 * (1.0 - s2 * s2); let d3 = dh * s4 * (s3 * (1.0 - s3));
  let dc1 = total * s1;
  let dh1 = 0.0;`,
  gru: `
  let d2 = dh * (1.0 - s1) * (1.0 - s2 * s2);
  let d1 = (before - s2) * dh * (s1 * (1.0 - s1));
  let d0 = d2 * s3 * (s0 * (1.0 - s0));
  let e0 = d0; let e1 = d1; let e2 = d2 * s0;
  let dh1 = dh * s1;`,
  tanh: "let d0 = dh * (1.0 - s0 * s0); let dh1 = 0.0;",
  relu: "let d0 = select(0.0, dh, s0 > 0.0); let dh1 = 0.0;",
};

function forward(cell: RecurrentCell) {
  const { numGates, numSaved, hasCellState } = recurrentCellSizes[cell];
  const operands: Operands = {
    gates: "read f32",
    z: "read f32",
    lengths: "read i32",
    ...(hasCellState ? { cn: "write f32" } : {}),
    ...{ hn: "write f32", out: "write f32", saved: "write f32", before: "write f32" },
  };
  return defineKernel({
    name: `recurrent-${cell}`,
    operands,
    params: { ...params, gatesBatch: "u32", gatesTime: "u32" },
    uses: [bits, exponential, sigmoid],
    body: `${placeText}
  let goal = place * p.hidden + j;
  let savedAt = place * ${numSaved}u * p.hidden + j;
  if (!isIn) {
    out_put(goal, 0.0);
    before_put(goal, 0.0);
    ${each(numSaved, (i) => `saved_put(savedAt + ${i}u * p.hidden, 0.0);`)}
    return;
  }
  ${each(numGates, (i) => `let x${i} = gates_at(b * p.gatesBatch + time * p.gatesTime + ${i}u * p.hidden + j);`)}
  ${each(numGates, (i) => `let z${i} = z_at((b * ${numGates}u + ${i}u) * p.hidden + j);`)}
  let h = hn_at(unit);
  ${hasCellState ? "let c = cn_at(unit);" : ""}
  ${forwardText[cell]}
  before_put(goal, h);
  out_put(goal, h1);
  hn_put(unit, h1);
  ${hasCellState ? "cn_put(unit, c1);" : ""}
  ${each(numSaved, (i) => `saved_put(savedAt + ${i}u * p.hidden, s${i});`)}`,
  });
}

function backward(cell: RecurrentCell) {
  const { numGates, numSaved, hasCellState, hasOwnHiddenGradient } = recurrentCellSizes[cell];
  const hidden = hasOwnHiddenGradient ? "e" : "d";
  const operands: Operands = {
    dOut: "read f32",
    lengths: "read i32",
    saved: "read f32",
    ...(cell === "gru" ? { before: "read f32", dHidden: "write f32" } : {}),
    ...(hasCellState ? { dC0: "write f32" } : {}),
    ...{ dH0: "write f32", dGates: "write f32", dz: "write f32" },
  };
  return defineKernel({
    name: `recurrentBackward-${cell}`,
    operands,
    params,
    body: `${placeText}
  let goal = place * ${numGates}u * p.hidden + j;
  let dzAt = b * ${numGates}u * p.hidden + j;
  if (!isIn) {
    ${each(numGates, (i) => `dGates_put(goal + ${i}u * p.hidden, 0.0); dz_put(dzAt + ${i}u * p.hidden, 0.0);`)}
    ${hasOwnHiddenGradient ? each(numGates, (i) => `dHidden_put(goal + ${i}u * p.hidden, 0.0);`) : ""}
    return;
  }
  ${each(numSaved, (i) => `let s${i} = saved_at((place * ${numSaved}u + ${i}u) * p.hidden + j);`)}
  let dh = dOut_at(place * p.hidden + j) + dH0_at(unit);
  ${hasCellState ? "let dc = dC0_at(unit);" : ""}
  ${cell === "gru" ? "let before = before_at(place * p.hidden + j);" : ""}
  ${backwardText[cell]}
  ${each(numGates, (i) => `dGates_put(goal + ${i}u * p.hidden, d${i}); dz_put(dzAt + ${i}u * p.hidden, ${hidden}${i});`)}
  ${hasOwnHiddenGradient ? each(numGates, (i) => `dHidden_put(goal + ${i}u * p.hidden, e${i});`) : ""}
  dH0_put(unit, dh1);
  ${hasCellState ? "dC0_put(unit, dc1);" : ""}`,
  });
}

export const recurrentSteps = {
  lstm: { forward: forward("lstm"), backward: backward("lstm") },
  gru: { forward: forward("gru"), backward: backward("gru") },
  tanh: { forward: forward("tanh"), backward: backward("tanh") },
  relu: { forward: forward("relu"), backward: backward("relu") },
} as const satisfies Readonly<Record<RecurrentCell, unknown>>;
