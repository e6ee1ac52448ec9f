import { describe, expect, test } from "vitest";
import * as E from "../../expr/expr.js";
import { elementwiseProgram } from "../../expr/program.js";
import { hash128 } from "../../hash/hash128.js";
import { createCpuBackend } from "../cpu-backend.js";
import { everyFloat, ulpError, valuesOf, viewOf } from "../views.testkit.js";

const x = E.input(0);
const y = E.input(1);
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const backend = createCpuBackend();

function run(exprs: E.Expr, ...operands: Float32Array[]): Float32Array {
  const program = elementwiseProgram("f", ["f32", "f32"].slice(0, operands.length) as "f32"[], [exprs]);
  const views = operands.map((values) => viewOf(backend, [values.length], values));
  const out = viewOf(backend, [operands[0]!.length]);
  backend.elementwise(program, views, [], [out]);
  const results = valuesOf(backend, out);
  for (const used of [...views, out]) backend.free(used.buffer);
  return Float32Array.from(results, (value) => (Number.isNaN(value) ? nan : value));
}

const hashOf = (values: Float32Array) => hash128(new Uint8Array(values.buffer));

interface Case {
  readonly name: string;
  readonly expr: E.Expr;
  readonly exact: (x: number) => number;
  /** Measured over the sweep, rounded up. */
  readonly maxUlp: number;
  /** Of the results of the sweep: the same on every machine. */
  readonly hash: string;
  readonly special: readonly (readonly [number, number])[];
}

const odd = (at: readonly (readonly [number, number])[]) => [...at, ...at.map(([a, b]) => [-a, -b] as const)];

const cases: readonly Case[] = [
  {
    name: "exp2",
    expr: E.exp2(x),
    exact: (v) => 2 ** v,
    maxUlp: 1,
    hash: "0bf328c90f86a3e99e2fa090ae20dfa0",
    special: [
      [0, 1],
      [10, 1024],
      [-149, 2 ** -149],
      [-151, 0],
      [128, inf],
      [inf, inf],
      [-inf, 0],
      [nan, nan],
    ],
  },
  {
    name: "expm1",
    expr: E.expm1(x),
    exact: Math.expm1,
    maxUlp: 1.4,
    hash: "ba87243f544677852e802189e7b216c6",
    special: [
      [0, 0],
      [-0, -0],
      [1e-30, Math.fround(1e-30)],
      [89, inf],
      [-20, -1],
      [inf, inf],
      [-inf, -1],
      [nan, nan],
    ],
  },
  {
    name: "log2",
    expr: E.log2(x),
    exact: Math.log2,
    maxUlp: 1,
    hash: "725c55b81795af58c0c6f868934d01c5",
    special: [
      [1, 0],
      [1024, 10],
      [2 ** -149, -149],
      [0, -inf],
      [inf, inf],
      [-1, nan],
      [nan, nan],
    ],
  },
  {
    name: "log10",
    expr: E.log10(x),
    exact: Math.log10,
    maxUlp: 1,
    hash: "441bcc913e358de63d0416fb85f8b6b6",
    special: [
      [1, 0],
      [1000, 3],
      [1e10, 10],
      [0, -inf],
      [inf, inf],
      [-1, nan],
      [nan, nan],
    ],
  },
  {
    name: "log1p",
    expr: E.log1p(x),
    exact: Math.log1p,
    maxUlp: 1.5,
    hash: "b9d0afe975c5cfcdf92b4b121acb2ae5",
    special: [
      [0, 0],
      [-0, -0],
      [-1, -inf],
      [-2, nan],
      [inf, inf],
      [nan, nan],
    ],
  },
  {
    name: "tan",
    expr: E.tan(x),
    exact: Math.tan,
    maxUlp: 2.8,
    hash: "2f94a7d14bec285cf4d0f958594233a5",
    special: [
      [0, 0],
      [-0, -0],
      [inf, nan],
      [nan, nan],
    ],
  },
  {
    name: "asin",
    expr: E.asin(x),
    exact: Math.asin,
    maxUlp: 1,
    hash: "4f9a002a6f369a9a8ec335077bf2ca84",
    special: [
      ...odd([
        [0, 0],
        [1, Math.fround(Math.PI / 2)],
      ]),
      [1.0000001, nan],
      [nan, nan],
    ],
  },
  {
    name: "acos",
    expr: E.acos(x),
    exact: Math.acos,
    maxUlp: 1,
    hash: "ff40e98b5eae840ea69c1eb487bf80f3",
    special: [
      [1, 0],
      [-1, Math.fround(Math.PI)],
      [0, Math.fround(Math.PI / 2)],
      [-1.0000001, nan],
      [nan, nan],
    ],
  },
  {
    name: "atan",
    expr: E.atan(x),
    exact: Math.atan,
    maxUlp: 1,
    hash: "f28b419b0a36eb0cc09bb53d25be4cfa",
    special: [
      ...odd([
        [0, 0],
        [1, Math.fround(Math.PI / 4)],
        [inf, Math.fround(Math.PI / 2)],
      ]),
      [nan, nan],
    ],
  },
  {
    name: "sinh",
    expr: E.sinh(x),
    exact: Math.sinh,
    maxUlp: 1.9,
    hash: "e7bd5aadfee5b94c827e29be7dc585cf",
    special: [
      ...odd([
        [0, 0],
        [90, inf],
        [inf, inf],
      ]),
      [nan, nan],
    ],
  },
  {
    name: "cosh",
    expr: E.cosh(x),
    exact: Math.cosh,
    maxUlp: 1.9,
    hash: "e3a43d415ee3ec0d05720a3a95ad4f1d",
    special: [
      [0, 1],
      [-0, 1],
      [90, inf],
      [-inf, inf],
      [nan, nan],
    ],
  },
  {
    name: "asinh",
    expr: E.asinh(x),
    exact: Math.asinh,
    maxUlp: 1.6,
    hash: "09692a5b5a046d4373a89e6981c7d62d",
    special: [
      ...odd([
        [0, 0],
        [inf, inf],
      ]),
      [nan, nan],
    ],
  },
  {
    name: "acosh",
    expr: E.acosh(x),
    exact: Math.acosh,
    maxUlp: 1.8,
    hash: "99a8f8fa07fbd340ad72ed525c7f4685",
    special: [
      [1, 0],
      [0.5, nan],
      [inf, inf],
      [nan, nan],
    ],
  },
  {
    name: "atanh",
    expr: E.atanh(x),
    exact: Math.atanh,
    maxUlp: 1.9,
    hash: "315e50d09ca9c68868ec6a359a5da89f",
    special: [
      ...odd([
        [0, 0],
        [1, inf],
        [1.5, nan],
      ]),
      [nan, nan],
    ],
  },
];

describe("functions of one element", () => {
  const sweep = everyFloat(16_411);

  test.each(cases)("$name is within $maxUlp ulp of f64 over the whole range, with the committed bits", (c) => {
    const results = run(c.expr, sweep);
    const worst = { error: 0, at: 0 };
    results.forEach((value, i) => {
      const error = ulpError(value, c.exact(sweep[i]!));
      if (!(error <= worst.error)) Object.assign(worst, { error, at: sweep[i] });
    });
    expect([worst.error <= c.maxUlp ? "within" : `${worst.error} at ${worst.at}`, hashOf(results)]).toEqual([
      "within",
      c.hash,
    ]);
  });

  test.each(cases)("$name has its exact values at 0, infinity and NaN", ({ expr, special }) => {
    const results = run(
      expr,
      Float32Array.from(special, ([at]) => at),
    );
    expect(Array.from(results)).toEqual(special.map(([, value]) => value));
  });
});

describe("functions of two elements", () => {
  const values = everyFloat(20_000_003).filter((value) => value !== 0);
  const firsts = Float32Array.from({ length: values.length ** 2 }, (_, i) => values[Math.floor(i / values.length)]!);
  const seconds = Float32Array.from({ length: values.length ** 2 }, (_, i) => values[i % values.length]!);

  const pairs = [
    {
      name: "fmod",
      expr: E.fmod(x, y),
      exact: (a: number, b: number) => a % b,
      maxUlp: 0,
      hash: "621f1c86fa5aff584a5960337136aee9",
    },
    { name: "atan2", expr: E.atan2(x, y), exact: Math.atan2, maxUlp: 1, hash: "7569f59826be61499acfa6092ac39bc3" },
    { name: "hypot", expr: E.hypot(x, y), exact: Math.hypot, maxUlp: 0.51, hash: "5cf35a40cabf337c404c94b473234fda" },
  ];
  test.each(pairs)("$name is within $maxUlp ulp for pairs of all sizes, with the committed bits", (c) => {
    const results = run(c.expr, firsts, seconds);
    const worst = { error: 0, at: [0, 0] };
    results.forEach((value, i) => {
      const error = ulpError(value, c.exact(firsts[i]!, seconds[i]!));
      if (!(error <= worst.error)) Object.assign(worst, { error, at: [firsts[i], seconds[i]] });
    });
    expect([worst.error <= c.maxUlp ? "within" : `${worst.error} at ${worst.at}`, hashOf(results)]).toEqual([
      "within",
      c.hash,
    ]);
  });
});
