/**
 * @file The matmul kernel of tiles: both factors pass through workgroup memory, four elements at a time, a block of the product stays in each
 * invocation's registers.
 *
 * Every element has one accumulator over ascending k, and each step is one fma, so that tile sizes and layouts change nothing but speed.
 *
 * A factor's tile lies in workgroup memory as it lies in memory: a `deep` factor (stride 1 along k) as fours along k, any other as fours of lines
 * at one k. Either way a load from memory is a store to the tile, and the four numbers are taken apart in registers.
 */
import type { ElementwiseProgram } from "@lockstep/core";
import { defineKernel } from "../launch/kernel.js";
import { each, finishOf, params, placeText } from "./gemm-params.js";

export interface TileShape {
  readonly rows: number;
  readonly columns: number;
  /** Steps along k between two barriers: 8 or 16. */
  readonly depth: number;
  /** Rows and columns of an invocation's block: 4 or 8. */
  readonly blockRows: number;
  readonly blockColumns: number;
}

/** How a factor lies, and whether fours of it can be loaded at once: starts and strides are multiples of 4, and so is the depth of a deep one. */
export interface FactorForm {
  readonly isDeep: boolean;
  readonly isVector: boolean;
}

export interface TileForm {
  readonly a: FactorForm;
  readonly b: FactorForm;
  /** Whether fours of the result can be stored at once. */
  readonly isVectorOut: boolean;
}

type Factor = "a" | "b";

interface FactorTile {
  readonly factor: Factor;
  readonly form: FactorForm;
  readonly lines: number;
  readonly depth: number;
  readonly numLoads: number;
}

/**
 * Fours in a deep factor's tile: those of one line lie together with a gap of one, and lines that are 0, 1, 2, 3 modulo 4 in four
 * parts a little apart, so that neighbouring invocations use different banks.
 */
function deepStrides({ lines, depth }: { readonly lines: number; readonly depth: number }) {
  const line = depth / 4 + 1;
  const part = (lines / 4) * line + depth / 4;
  return { line, part };
}

function tileLength(tile: FactorTile): number {
  return tile.form.isDeep ? 4 * deepStrides(tile).part : (tile.depth * tile.lines) / 4;
}

/** vec4f that begins `distance` elements after `at`, element by element. */
function scalarFour(factor: Factor, at: string, distance: string): string {
  return `vec4f(${[0, 1, 2, 3].map((i) => `${factor}_at(${at} + ${i}u * ${distance})`).join(", ")})`;
}

/**
 * An invocation's share of a factor's tile. Lines past the end load what lies there: they reach no element that is stored. Steps past the
 * depth are zeros in both factors.
 */
function loaderText(tile: FactorTile) {
  const { factor, form, lines, depth, numLoads } = tile;
  const [line, step] = factor === "a" ? ["p.aRow", "p.aDepth"] : ["p.bColumn", "p.bDepth"];
  const [perLine, quads] = [depth / 4, lines / 4];
  const next = (j: number): string => `${factor}Next${j}`;
  const strides = deepStrides(tile);
  const places = each(numLoads, (j) => {
    const index = `lane + ${j}u * THREADS`;
    const [k, first] = form.isDeep
      ? [`(${index}) % ${perLine}u * 4u`, `(${index}) / ${perLine}u`]
      : [`(${index}) / ${quads}u`, `(${index}) % ${quads}u * 4u`];
    const slot = form.isDeep
      ? `${factor}Line${j} % 4u * ${strides.part}u + ${factor}Line${j} / 4u * ${strides.line}u + ${factor}K${j} / 4u`
      : index;
    return `
  let ${factor}K${j} = ${k};
  let ${factor}Line${j} = ${first};
  let ${factor}Slot${j} = ${slot};
  var ${next(j)} = vec4f();`;
  });
  const load = (j: number): string => {
    if (form.isVector) return `${next(j)} = ${factor}_at4(at / 4u);`;
    if (!form.isDeep) return `${next(j)} = ${scalarFour(factor, "at", line)};`;
    return `
      if (k + 3u < endK) { ${next(j)} = ${scalarFour(factor, "at", step)}; }
      else { for (var i = 0u; i < endK - k; i++) { ${next(j)}[i] = ${factor}_at(at + i * ${step}); } }`;
  };
  const loads = (firstK: string): string =>
    each(
      numLoads,
      (j) => `
    ${next(j)} = vec4f();
    {
      let k = ${firstK} + ${factor}K${j};
      if (k < endK) {
        let at = ${factor}Start + ${factor}Line${j} * ${line} + k * ${step};
        ${load(j)}
      }
    }`,
    );
  const stores = each(numLoads, (j) => `    ${factor}Tile[${factor}Slot${j}] = ${next(j)};`);
  return { places, loads, stores };
}

interface Reader {
  /** Statements that read four lines at all four steps, or at step k, whichever lies together. */
  readonly reads: (part: number) => string;
  /** How many parts `reads` has. */
  readonly numParts: number;
  /** Line i of the block at step k. */
  readonly one: (i: number, k: number) => string;
}

/** How a block reads its lines of a factor's tile at the four steps from 4 * kFour; `of` is the invocation's place across or down. */
function readerOf(tile: FactorTile, { block, span, of }: { block: number; span: number; of: string }): Reader {
  const { factor, form, lines } = tile;
  const quads = lines / 4;
  if (form.isDeep) {
    const { line, part } = deepStrides(tile);
    const read = (i: number): string =>
      `      let ${factor}Of${i} = ${factor}Tile[${(i % 4) * part}u + (${Math.floor(i / 4) * span}u + ${of}) * ${line}u + kFour];`;
    const reads = (quad: number): string => each(4, (i) => read(quad * 4 + i));
    return { reads, numParts: block / 4, one: (i, k) => `${factor}Of${i}[${k}]` };
  }
  const name = (k: number, quad: number): string => `${factor}At${k}_${quad}`;
  const read = (k: number, quad: number): string =>
    `      let ${name(k, quad)} = ${factor}Tile[(kFour * 4u + ${k}u) * ${quads}u + ${quad * span}u + ${of}];`;
  const reads = (k: number): string => each(block / 4, (quad) => read(k, quad));
  return { reads, numParts: 4, one: (i, k) => `${name(k, Math.floor(i / 4))}[${i % 4}]` };
}

/** Four steps along k. What is read from the tiles stands as near to its use as it can, so that few registers are taken at a time. */
function sumsText(shape: TileShape, a: FactorTile, b: FactorTile): string {
  const { depth, blockRows, blockColumns } = shape;
  const left = readerOf(a, { block: blockRows, span: shape.rows / blockRows, of: "y" });
  const right = readerOf(b, { block: blockColumns, span: shape.columns / blockColumns, of: "x" });
  const quads = blockColumns / 4;
  const addAt = (k: number, quad: number): string => {
    const columns = [0, 1, 2, 3].map((i) => right.one(quad * 4 + i, k)).join(", ");
    const sums = each(blockRows, (row) => {
      const sum = `sum${row}_${quad}`;
      return `      ${sum} = fma(vec4f(${left.one(row, k)}), four${k}_${quad}, ${sum});`;
    });
    return `      let four${k}_${quad} = vec4f(${columns});\n${sums}`;
  };
  const allOfLeft = each(left.numParts, left.reads);
  const isLeftByStep = !a.form.isDeep && !b.form.isDeep;
  const steps = b.form.isDeep
    ? each(quads, (quad) => `${right.reads(quad)}\n${each(4, (k) => addAt(k, quad))}`)
    : each(4, (k) =>
        [isLeftByStep ? left.reads(k) : "", right.reads(k), each(quads, (quad) => addAt(k, quad))].join("\n"),
      );
  return `
    for (var kFour = 0u; kFour < ${depth / 4}u; kFour++) {
${isLeftByStep ? "" : allOfLeft}
${steps}
    }`;
}

/** Adds the bias to each sum and stores it, four columns at once where they can be. */
function resultText(shape: TileShape, isVectorOut: boolean, store: (at: string, value: string) => string) {
  const { rows, columns, blockRows, blockColumns } = shape;
  const [down, across] = [rows / blockRows, columns / blockColumns];
  const rowAt = (row: number): string => `firstRow + ${Math.floor(row / 4) * down * 4 + (row % 4)}u + y * 4u`;
  const eachQuad = (text: (sum: string, row: number) => string): string =>
    each(blockColumns / 4, (quad) => {
      const inner = each(
        blockRows,
        (row) => `
    { let row = ${rowAt(row)}; let at = cStart + row * p.cRow + column; if (row < p.rows) { ${text(`sum${row}_${quad}`, row)} } }`,
      );
      return `
  { let column = firstColumn + ${quad * across * 4}u + x * 4u;
    ${inner} }`;
    });
  const ofColumns = (sum: (i: number) => string): string =>
    each(4, (i) => `if (column + ${i}u < p.columns) { ${sum(i)} }`);
  const starts = eachQuad((sum) =>
    isVectorOut
      ? `if (column < p.columns) { ${sum} = out_at4(at / 4u); }`
      : ofColumns((i) => `${sum}[${i}] = out_at(at + ${i}u);`),
  );
  const biases = each(blockColumns / 4, (quad) => {
    const column = `firstColumn + ${quad * across * 4}u + x * 4u`;
    return `    { let column = ${column}; let bias = ${scalarFour("a", "column", "1u").replaceAll("a_at", "bias_at")}; ${each(blockRows, (row) => `sum${row}_${quad} += bias;`)} }`;
  });
  const stores = eachQuad((sum) =>
    isVectorOut
      ? `if (column < p.columns) { ${store("at / 4u", sum)} }`
      : ofColumns((i) => store(`at + ${i}u`, `${sum}[${i}]`)),
  );
  return { starts, biases, stores };
}

/** The kernel of one tile shape for factors and results that lie so. */
export function tileKernel(shape: TileShape, form: TileForm, epilogue?: ElementwiseProgram) {
  const { rows, columns, depth, blockRows, blockColumns } = shape;
  const threads = (columns / blockColumns) * (rows / blockRows);
  const factorTile = (factor: Factor, lines: number): FactorTile => {
    return { factor, form: form[factor], lines, depth, numLoads: (lines * depth) / 4 / threads };
  };
  const [aTile, bTile] = [factorTile("a", rows), factorTile("b", columns)];
  const [a, b] = [loaderText(aTile), loaderText(bTile)];
  const finish = finishOf(epilogue, form.isVectorOut);
  const result = resultText(shape, form.isVectorOut, finish.store);
  const formName = (of: FactorForm): string => `${of.isDeep ? "deep" : "wide"}${of.isVector ? "4" : ""}`;
  return defineKernel({
    name: `matmul${rows}x${columns}x${depth}-${formName(form.a)}-${formName(form.b)}${form.isVectorOut ? "-4" : ""}${finish.suffix}`,
    operands: {
      a: form.a.isVector ? "read vec4f" : "read f32",
      b: form.b.isVector ? "read vec4f" : "read f32",
      bias: "read f32",
      ...finish.operands,
    },
    params,
    workgroup: [threads, 1, 1],
    uses: finish.uses,
    declarations: `
const THREADS = ${threads}u;
var<workgroup> aTile: array<vec4f, ${tileLength(aTile)}>;
var<workgroup> bTile: array<vec4f, ${tileLength(bTile)}>;
${finish.declarations}`,
    body: `${placeText(shape)}
  let x = lane % ${columns / blockColumns}u;
  let y = lane / ${columns / blockColumns}u;
  ${a.places}
  ${b.places}
  ${each(blockRows, (row) => each(blockColumns / 4, (quad) => `  var sum${row}_${quad} = vec4f();`))}
  if (p.accumulates == 1u) {${result.starts}
  }
  ${a.loads("beginK")}
  ${b.loads("beginK")}
  for (var firstK = beginK; firstK < endK; firstK += ${depth}u) {
    workgroupBarrier();
    ${a.stores}
    ${b.stores}
    workgroupBarrier();
    let nextK = firstK + ${depth}u;
    ${a.loads("nextK")}
    ${b.loads("nextK")}${sumsText(shape, aTile, bTile)}
  }
  if (p.hasBias == 1u) {
${result.biases}
  }${result.stores}`,
  });
}
