/**
 * @file Running sums, products and recurrences over the middle of [outer, K, inner].
 *
 * Accumulators are double-single (the CPU has f64): each element is rounded once, from 48 bits. Products past the range of f32 do not come
 * back. One invocation walks a column; long sums of few columns go in chunks: their totals, running sums of those, then every chunk from
 * where the ones before it end.
 */
import type { TensorView } from "@lockstep/core";
import type { AxisView, KernelTable, ScanInputs } from "@lockstep/core/backend";
import { defineKernel, groupsOf, type KernelHost } from "../launch/kernel.js";
import { doubleSingle } from "../math/double-single.js";

/** Columns up to this length, or this many of them, are walked whole. */
const maxWalked = 1_024;
const minColumns = 8_192;

const params = {
  count: "u32",
  axisLength: "u32",
  inner: "u32",
  isReversed: "u32",
  chunkLength: "u32",
  numChunks: "u32",
} as const;

/** An invocation a chunk: elements k in first..end - 1 of the order of the scan lie at place(k). */
const chunkPlace = `
  if (item >= p.count) { return; }
  let column = item / p.numChunks;
  let base = (column / p.inner) * p.axisLength * p.inner + column % p.inner;
  let first = (item % p.numChunks) * p.chunkLength;
  let end = min(first + p.chunkLength, p.axisLength);`;
const placeOf = `
fn place(base: u32, k: u32) -> u32 { return base + select(k, p.axisLength - 1u - k, p.isReversed == 1u) * p.inner; }`;

const accumulators = {
  f32: {
    zero: "vec2f(0.0, 0.0)",
    plus: "plusSingle(total, terms_at(at))",
    join: "plusDouble(total, vec2f(totals_at(2u * c), totals_at(2u * c + 1u)))",
    load: "vec2f(totals_at(2u * item), totals_at(2u * item + 1u))",
    store: (c: string) => `totals_put(2u * ${c}, total.x); totals_put(2u * ${c} + 1u, total.y);`,
    value: "total.x",
  },
  i32: {
    zero: "0",
    plus: "total + terms_at(at)",
    join: "total + totals_at(2u * c)",
    load: "totals_at(2u * item)",
    store: (c: string) => `totals_put(2u * ${c}, total);`,
    value: "total",
  },
} as const;

function sumKernels(type: "f32" | "i32") {
  const { zero, plus, join, load, store, value } = accumulators[type];
  const shared = { params, uses: [doubleSingle], declarations: placeOf } as const;
  const walk = `for (var k = first; k < end; k++) { let at = place(base, k); total = ${plus};`;
  return {
    /** Of whole columns: one chunk each. */
    columns: defineKernel({
      ...shared,
      name: `scanSums_${type}`,
      operands: { terms: `read ${type}`, out: `write ${type}` },
      body: `${chunkPlace}\nvar total = ${zero};\n${walk} out_put(at, ${value}); }`,
    }),
    totals: defineKernel({
      ...shared,
      name: `scanTotals_${type}`,
      operands: { terms: `read ${type}`, totals: `write ${type}` },
      body: `${chunkPlace}\nvar total = ${zero};\n${walk} }\n${store("item")}`,
    }),
    /** An invocation a column: each chunk's total becomes the sum of those before it. */
    starts: defineKernel({
      ...shared,
      name: `scanStarts_${type}`,
      operands: { totals: `write ${type}` },
      body: `
  if (item >= p.count) { return; }
  var total = ${zero};
  for (var c = item * p.numChunks; c < (item + 1u) * p.numChunks; c++) {
    let next = ${join};
    ${store("c")}
    total = next;
  }`,
    }),
    chunks: defineKernel({
      ...shared,
      name: `scanChunks_${type}`,
      operands: { terms: `read ${type}`, totals: `read ${type}`, out: `write ${type}` },
      body: `${chunkPlace}\nvar total = ${load};\n${walk} out_put(at, ${value}); }`,
    }),
  };
}
const sums = { f32: sumKernels("f32"), i32: sumKernels("i32") } as const;

const products = defineKernel({
  name: "scanProducts",
  operands: { factors: "read f32", out: "write f32" },
  params,
  uses: [doubleSingle],
  declarations: placeOf,
  body: `${chunkPlace}
  var total = vec2f(1.0, 0.0);
  for (var k = first; k < end; k++) {
    let at = place(base, k);
    total = timesSingle(total, factors_at(at));
    out_put(at, total.x);
  }`,
});

const recurrences = defineKernel({
  name: "scanRecurrences",
  operands: { factors: "read f32", terms: "read f32", out: "write f32" },
  params,
  uses: [doubleSingle],
  declarations: placeOf,
  body: `${chunkPlace}
  var total = vec2f(0.0, 0.0);
  for (var k = first; k < end; k++) {
    let at = place(base, k);
    let term = terms_at(at);
    if (k == 0u) { total = vec2f(term, 0.0); }
    else { total = plusSingle(timesSingle(total, factors_at(at)), term); }
    out_put(at, total.x);
  }`,
});

/** Chunks of about the root of the length. */
function chunkLengthOf(length: number): number {
  let chunk = 1;
  while (chunk * chunk < length) chunk *= 2;
  return chunk;
}

interface Walk {
  readonly view: AxisView;
  readonly isReversed: boolean;
  readonly out: TensorView;
}

function scanSums(host: KernelHost, terms: TensorView, { view, isReversed, out }: Walk): void {
  const { outer, axisLength, inner } = view;
  const { columns, totals: addUp, starts, chunks } = sums[out.dtype === "f32" ? "f32" : "i32"];
  const numColumns = outer * inner;
  const isWhole = axisLength <= maxWalked || numColumns >= minColumns;
  const chunkLength = isWhole ? axisLength : chunkLengthOf(axisLength);
  const numChunks = Math.ceil(axisLength / chunkLength);
  const count = numColumns * numChunks;
  const values = { count, axisLength, inner, isReversed: isReversed ? 1 : 0, chunkLength, numChunks };
  const options = { groups: groupsOf(count) };
  if (isWhole) {
    host.launch(columns, { terms, out }, values, options);
    return;
  }
  host.withTemporary([2 * count], out.dtype === "f32" ? "f32" : "i32", (totals) => {
    host.launch(addUp, { terms, totals }, values, options);
    host.launch(starts, { totals }, { ...values, count: numColumns }, { groups: groupsOf(numColumns) });
    host.launch(chunks, { terms, totals, out }, values, options);
  });
}

export function scanRows(host: KernelHost) {
  return {
    scan({ factors, terms }: ScanInputs, view: AxisView, isReversed: boolean, out: TensorView): void {
      const { outer, axisLength, inner } = view;
      const count = outer * inner;
      if (count * axisLength === 0) return;
      if (factors === undefined) {
        scanSums(host, terms!, { view, isReversed, out });
        return;
      }
      const flags = { isReversed: isReversed ? 1 : 0, chunkLength: axisLength, numChunks: 1 };
      const values = { count, axisLength, inner, ...flags };
      const options = { groups: groupsOf(count) };
      if (terms === undefined) host.launch(products, { factors, out }, values, options);
      else host.launch(recurrences, { factors, terms, out }, values, options);
    },
  } satisfies Partial<KernelTable>;
}
