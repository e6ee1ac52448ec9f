/**
 * @file What the recurrent cells compute for one hidden unit of one row and step, in WGSL. The formulas are those of core's cpu/kernels/recurrent-cells.ts.
 *
 *   lstm        i, f, o = sigmoid(.)   g = tanh(.)   c' = f c + i g   h' = o tanh(c')
 *   gru         r, u = sigmoid(x + z)   n = tanh(x + r z)   h' = n + u (h - n)
 *   tanh, relu  h' = tanh(x + z), max(x + z, 0)
 *
 * Given in both directions: `gate(k)` and `save(k, value)`; forward x(k), z(k), h, c; backward saved(k), h, dh, dc.
 */
import type { RecurrentCell } from "@lockstep/core/backend";

export interface CellCode {
  /** Statements that set `after` (and `cellAfter`) and save what backward reads. */
  readonly forward: string;
  /** Statements that give each gate its gradient by `give(k, value)`, hidden sides that differ by `giveHidden(k, value)`, and set `carry` (and
   * `cellCarry`), what of dh and dc goes to the step before past the weight. */
  readonly backward: string;
}

const lstm: CellCode = {
  forward: `
  let i = sigmoidOf(x(0u) + z(0u)); let f = sigmoidOf(x(1u) + z(1u));
  let g = tanhOf(x(2u) + z(2u)); let o = sigmoidOf(x(3u) + z(3u));
  let cellAfter = f * c + i * g;
  let squashed = tanhOf(cellAfter);
  let after = o * squashed;
  save(0u, i); save(1u, f); save(2u, g); save(3u, o); save(4u, squashed); save(5u, c);`,
  backward: `
  let i = saved(0u); let f = saved(1u); let g = saved(2u); let o = saved(3u); let squashed = saved(4u); let c = saved(5u);
  let total = dc + dh * o * (1.0 - squashed * squashed);
  give(0u, total * g * i * (1.0 - i));
  give(1u, total * c * f * (1.0 - f));
  give(2u, total * i * (1.0 - g * g));
  give(3u, dh * squashed * o * (1.0 - o));
  let carry = 0.0;
  let cellCarry = total * f;`,
};

const gru: CellCode = {
  forward: `
  let r = sigmoidOf(x(0u) + z(0u)); let u = sigmoidOf(x(1u) + z(1u));
  let zn = z(2u);
  let n = tanhOf(x(2u) + r * zn);
  let after = n + u * (h - n);
  save(0u, r); save(1u, u); save(2u, n); save(3u, zn);`,
  backward: `
  let r = saved(0u); let u = saved(1u); let n = saved(2u); let zn = saved(3u);
  let dn = dh * (1.0 - u) * (1.0 - n * n);
  let du = (h - n) * dh * u * (1.0 - u);
  let dr = dn * zn * r * (1.0 - r);
  give(0u, dr); give(1u, du); give(2u, dn);
  giveHidden(0u, dr); giveHidden(1u, du); giveHidden(2u, dn * r);
  let carry = dh * u;`,
};

const plain = (after: string, slope: string): CellCode => ({
  forward: `
  let sum = x(0u) + z(0u);
  let after = ${after};
  save(0u, after);`,
  backward: `
  let y = saved(0u);
  give(0u, ${slope});
  let carry = 0.0;`,
});

export const cellCode: Readonly<Record<RecurrentCell, CellCode>> = {
  lstm,
  gru,
  tanh: plain("tanhOf(sum)", "dh * (1.0 - y * y)"),
  relu: plain("larger(sum, 0.0)", "select(0.0, dh, y > 0.0)"),
};
