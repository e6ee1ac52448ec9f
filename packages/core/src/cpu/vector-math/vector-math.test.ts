import { describe, expect, test } from "vitest";
import * as E from "../../expr/expr.js";
import { hostErf } from "../../expr/host-math.js";
import { elementwiseProgram } from "../../expr/program.js";
import { hash128 } from "../../hash/hash128.js";
import { createCpuBackend } from "../cpu-backend.js";
import { everyFloat, ulpError, valuesOf, viewOf } from "../views.testkit.js";

const x = E.input(0);
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

interface Case {
  readonly expr: E.Expr;
  readonly exact: (x: number) => number;
  /** Measured over every 127th f32 (erf: 1,021st), rounded up. */
  readonly maxUlp: number;
  /** Of the f32 bytes of all results of the sweep below, NaN made one: the same on every machine. */
  readonly hash: string;
  readonly special: readonly (readonly [number, number])[];
}

const cases: Record<string, Case> = {
  exp: {
    expr: E.exp(x),
    exact: Math.exp,
    maxUlp: 1,
    hash: "f8b3f023e6d6aba955638df949368213",
    special: [
      [0, 1],
      [-0, 1],
      [inf, inf],
      [-inf, 0],
      [nan, nan],
      [89, inf],
      [-104, 0],
      [1e-40, 1],
    ],
  },
  log: {
    expr: E.log(x),
    exact: Math.log,
    maxUlp: 1,
    hash: "9e5d94f5b94c813cbe75ac509e8404a9",
    special: [
      [0, -inf],
      [-0, -inf],
      [1, 0],
      [inf, inf],
      [-inf, nan],
      [-1, nan],
      [nan, nan],
    ],
  },
  tanh: {
    expr: E.tanh(x),
    exact: Math.tanh,
    maxUlp: 2.5,
    hash: "73511d78f04e18f7c9fcc94997d3a210",
    special: [
      [0, 0],
      [-0, -0],
      [inf, 1],
      [-inf, -1],
      [nan, nan],
      [88, 1],
      [-50, -1],
    ],
  },
  erf: {
    expr: E.erf(x),
    exact: hostErf,
    maxUlp: 1.5,
    hash: "c3eeb4d42d0227d1ef2ced64fecc2563",
    special: [
      [0, 0],
      [-0, -0],
      [inf, 1],
      [-inf, -1],
      [nan, nan],
      [10, 1],
    ],
  },
  sin: {
    expr: E.sin(x),
    exact: Math.sin,
    maxUlp: 2,
    hash: "2bb8030a17dbd9357f42272d818aabe7",
    special: [
      [0, 0],
      [-0, -0],
      [inf, nan],
      [-inf, nan],
      [nan, nan],
    ],
  },
  cos: {
    expr: E.cos(x),
    exact: Math.cos,
    maxUlp: 2,
    hash: "bc08d27f7934bf66a25e30b5578d7475",
    special: [
      [0, 1],
      [-0, 1],
      [inf, nan],
      [-inf, nan],
      [nan, nan],
    ],
  },
};

describe("vector math", () => {
  const backend = createCpuBackend();
  const sweep = everyFloat(16_411);
  for (const [name, { expr, exact, maxUlp, hash, special }] of Object.entries(cases)) {
    const program = elementwiseProgram(name, ["f32"], [expr]);
    const run = (values: Float32Array) => {
      const view = viewOf(backend, [values.length], values);
      const out = viewOf(backend, [values.length]);
      backend.elementwise(program, [view], [], [out]);
      const results = valuesOf(backend, out);
      for (const used of [view, out]) backend.free(used.buffer);
      return results;
    };

    test(`${name} is within ${maxUlp} ulp of f64 over the whole range`, () => {
      const worst = { error: 0, at: 0 };
      run(sweep).forEach((value, i) => {
        const error = ulpError(value, exact(sweep[i] ?? 0));
        if (error > worst.error) Object.assign(worst, { error, at: sweep[i] });
      });
      expect(worst.error, `at ${worst.at}`).toBeLessThanOrEqual(maxUlp);
    });

    test(`${name} has its exact values at 0, infinity and NaN`, () => {
      const results = run(Float32Array.from(special, ([at]) => at));
      expect(Array.from(results)).toEqual(special.map(([, value]) => value));
    });

    test(`${name} has the committed bits`, () => {
      const results = run(sweep).map((value) => (Number.isNaN(value) ? nan : value));
      expect(hash128(new Uint8Array(results.buffer))).toBe(hash);
    });
  }
});
