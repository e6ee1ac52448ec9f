/**
 * @file What the recurrent cells compute for four hidden units of one row and step, forward and backward.
 *
 *   lstm        i, f, o = sigmoid(.)   g = tanh(.)   c' = f c + i g   h' = o tanh(c')
 *   gru         r, u = sigmoid(x + z)   n = tanh(x + r z)   h' = n + u (h - n)
 *   tanh, relu  h' = tanh(x + z), max(x + z, 0)
 *
 * x is the input's side of a pre-activation, z = h W^T + bias the hidden state's. Every operation rounds to f32 by itself.
 */
import type { RecurrentCell } from "../../backend/recurrent-cell.js";
import { emitSigmoid } from "../vector-math/sigmoid.js";
import { emitTanh } from "../vector-math/tanh.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";

/** Each pushes one vector. */
export interface StepInputs {
  readonly x: (gate: number) => void;
  readonly z: (gate: number) => void;
  readonly h: () => void;
  readonly c: () => void;
}

export interface StepOutputs {
  readonly h: Local;
  readonly c?: Local;
  readonly saved: readonly Local[];
}

/** Each pushes one vector; dh is the whole gradient of h', dc that of c' from later steps. */
export interface StepBackwardInputs {
  readonly saved: (index: number) => void;
  readonly before: () => void;
  readonly dh: Local;
  readonly dc: () => void;
}

export interface StepGradients {
  readonly gates: readonly Local[];
  /** Of z, where it differs. */
  readonly hidden?: readonly Local[];
  /** What of dh goes to h past the weight; undefined stands for zero. */
  readonly h?: Local;
  readonly c?: Local;
}

interface CellCode {
  readonly forward: (f: FunctionBuilder, inputs: StepInputs) => StepOutputs;
  readonly backward: (f: FunctionBuilder, inputs: StepBackwardInputs) => StepGradients;
}

function named<Name extends string>(f: FunctionBuilder, ...names: Name[]): Record<Name, Local> {
  return Object.fromEntries(names.map((name) => [name, f.local("v128")])) as Record<Name, Local>;
}

/** Pushes y (1 - y) times what is on the stack: through a sigmoid. */
function throughSigmoid(f: FunctionBuilder, y: Local): FunctionBuilder {
  return f.get(y).op("f32x4.mul").f32x4(1).get(y).op("f32x4.sub", "f32x4.mul");
}
/** Pushes (1 - y^2) times what is on the stack: through a tanh. */
function throughTanh(f: FunctionBuilder, y: Local): FunctionBuilder {
  return f.f32x4(1).get(y).get(y).op("f32x4.mul", "f32x4.sub", "f32x4.mul");
}

const lstm: CellCode = {
  forward(f, { x, z, c }) {
    const v = named(f, "i", "f", "g", "o", "tanhC", "before", "c", "h");
    const gate = (index: number, to: Local, activate: (f: FunctionBuilder) => void): void => {
      x(index);
      z(index);
      activate(f.op("f32x4.add"));
      f.set(to);
    };
    gate(0, v.i, emitSigmoid);
    gate(1, v.f, emitSigmoid);
    gate(2, v.g, emitTanh);
    gate(3, v.o, emitSigmoid);
    c();
    f.tee(v.before).get(v.f).op("f32x4.mul").get(v.i).get(v.g).op("f32x4.mul", "f32x4.add").tee(v.c);
    emitTanh(f);
    f.tee(v.tanhC).get(v.o).op("f32x4.mul").set(v.h);
    return { h: v.h, c: v.c, saved: [v.i, v.f, v.g, v.o, v.tanhC, v.before] };
  },
  backward(f, { saved, dh, dc }) {
    const v = named(f, "i", "f", "g", "o", "tanhC", "before", "total", "di", "df", "dg", "do", "dc");
    for (const [index, name] of (["i", "f", "g", "o", "tanhC", "before"] as const).entries()) {
      saved(index);
      f.set(v[name]);
    }
    throughSigmoid(f.get(dh).get(v.tanhC).op("f32x4.mul"), v.o).set(v.do);
    throughTanh(f.get(dh).get(v.o).op("f32x4.mul"), v.tanhC);
    dc();
    f.op("f32x4.add").set(v.total);
    throughSigmoid(f.get(v.total).get(v.g).op("f32x4.mul"), v.i).set(v.di);
    throughSigmoid(f.get(v.total).get(v.before).op("f32x4.mul"), v.f).set(v.df);
    throughTanh(f.get(v.total).get(v.i).op("f32x4.mul"), v.g).set(v.dg);
    f.get(v.total).get(v.f).op("f32x4.mul").set(v.dc);
    return { gates: [v.di, v.df, v.dg, v.do], c: v.dc };
  },
};

const gru: CellCode = {
  forward(f, { x, z, h }) {
    const v = named(f, "r", "u", "n", "zn", "h");
    for (const [index, to] of [v.r, v.u].entries()) {
      x(index);
      z(index);
      emitSigmoid(f.op("f32x4.add"));
      f.set(to);
    }
    x(2);
    z(2);
    f.tee(v.zn).get(v.r).op("f32x4.mul", "f32x4.add");
    emitTanh(f);
    f.set(v.n);
    h();
    f.get(v.n).op("f32x4.sub").get(v.u).op("f32x4.mul").get(v.n).op("f32x4.add").set(v.h);
    return { h: v.h, saved: [v.r, v.u, v.n, v.zn] };
  },
  backward(f, { saved, before, dh }) {
    const v = named(f, "r", "u", "n", "zn", "dr", "du", "dn", "dzn", "dh");
    for (const [index, name] of (["r", "u", "n", "zn"] as const).entries()) {
      saved(index);
      f.set(v[name]);
    }
    throughTanh(f.get(dh).f32x4(1).get(v.u).op("f32x4.sub", "f32x4.mul"), v.n).set(v.dn);
    before();
    f.get(v.n).op("f32x4.sub").get(dh).op("f32x4.mul");
    throughSigmoid(f, v.u).set(v.du);
    throughSigmoid(f.get(v.dn).get(v.zn).op("f32x4.mul"), v.r).set(v.dr);
    f.get(v.dn).get(v.r).op("f32x4.mul").set(v.dzn);
    f.get(dh).get(v.u).op("f32x4.mul").set(v.dh);
    return { gates: [v.dr, v.du, v.dn], hidden: [v.dr, v.du, v.dzn], h: v.dh };
  },
};

function plain(activate: (f: FunctionBuilder) => void, derive: (f: FunctionBuilder, y: Local) => void): CellCode {
  return {
    forward(f, { x, z }) {
      const h = f.local("v128");
      x(0);
      z(0);
      activate(f.op("f32x4.add"));
      f.set(h);
      return { h, saved: [h] };
    },
    backward(f, { saved, dh }) {
      const v = named(f, "y", "d");
      saved(0);
      f.set(v.y).get(dh);
      derive(f, v.y);
      f.set(v.d);
      return { gates: [v.d] };
    },
  };
}

export const cellCode: Readonly<Record<RecurrentCell, CellCode>> = {
  lstm,
  gru,
  tanh: plain(emitTanh, throughTanh),
  // pmax(a, b) is a < b ? b : a, so a NaN in a stays.
  relu: plain(
    (f) => void f.f32x4(0).op("f32x4.pmax"),
    (f, y) => void f.f32x4(0).get(y).op("f32x4.lt", "v128.and"),
  ),
};
