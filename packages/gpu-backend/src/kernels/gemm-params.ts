/**
 * @file What the matmul kernels share: parameters, which tile of which matrix a workgroup computes, and what happens to a finished element.
 *
 * Factors are seen as lines (rows of a, columns of b) of a depth; both strides are free.
 */
import type { ElementwiseProgram } from "@lockstep/core";
import { programLibraries } from "../elementwise/program-libraries.js";
import { programText } from "../elementwise/program-text.js";
import type { WgslLibrary } from "../launch/kernel.js";

export const params = {
  rows: "u32",
  columns: "u32",
  depth: "u32",
  aRow: "u32",
  aDepth: "u32",
  bDepth: "u32",
  bColumn: "u32",
  cRow: "u32",
  /** Sizes of the inner two of three batch dims, and the strides of all. */
  batch1: "u32",
  batch2: "u32",
  aBatch0: "u32",
  aBatch1: "u32",
  aBatch2: "u32",
  bBatch0: "u32",
  bBatch1: "u32",
  bBatch2: "u32",
  cBatch0: "u32",
  cBatch1: "u32",
  cBatch2: "u32",
  numTileColumns: "u32",
  /** Tiles of one matrix, and of all: workgroups. Where there are no tiles, elements of all matrices. */
  numTiles: "u32",
  numGroups: "u32",
  hasBias: "u32",
  accumulates: "u32",
  /** Whether neighbouring invocations load neighbours along k: read by kernels that are not made for one layout. */
  aDeep: "u32",
  bDeep: "u32",
  /** 0 or one of `triangles`. */
  triangle: "u32",
} as const;

/**
 * Products of which a triangle is known: tiles of the result that lie above the diagonal are left as they are; or a is zero above
 * the diagonal, so that row i needs no k past i; or below it, no k before i.
 */
export const triangles = { none: 0, lowerResult: 1, lowerLeft: 2, upperLeft: 3 } as const;

/** Which tile and matrix this workgroup computes. */
export function placeText({ rows, columns }: { readonly rows: number; readonly columns: number }): string {
  return `
  if (group >= p.numGroups) { return; }
  let matrix = group / p.numTiles;
  let tile = group % p.numTiles;
  let firstRow = (tile / p.numTileColumns) * ${rows}u;
  let firstColumn = (tile % p.numTileColumns) * ${columns}u;
  let i2 = matrix % p.batch2;
  let i1 = (matrix / p.batch2) % p.batch1;
  let i0 = matrix / (p.batch2 * p.batch1);
  let aStart = i0 * p.aBatch0 + i1 * p.aBatch1 + i2 * p.aBatch2 + firstRow * p.aRow;
  let bStart = i0 * p.bBatch0 + i1 * p.bBatch1 + i2 * p.bBatch2 + firstColumn * p.bColumn;
  let cStart = i0 * p.cBatch0 + i1 * p.cBatch1 + i2 * p.cBatch2;
  if (p.triangle == ${triangles.lowerResult}u && firstColumn >= firstRow + ${rows}u) { return; }
  let beginK = select(0u, firstRow, p.triangle == ${triangles.upperLeft}u);
  let endK = select(p.depth, min(p.depth, firstRow + ${rows}u), p.triangle == ${triangles.lowerLeft}u);`;
}

export const each = (count: number, text: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => text(i)).join("\n");

/**
 * What becomes of a finished element, bias included: it is stored; with an epilogue it is stored in `saved`, and a function of it in `out`,
 * which has the same strides.
 */
export interface Finish {
  readonly operands: { readonly saved?: "write f32" | "write vec4f"; readonly out: "write f32" | "write vec4f" };
  readonly uses: readonly WgslLibrary[];
  readonly declarations: string;
  /** Names kernels that differ in it. */
  readonly suffix: string;
  /** Statements that store `value`, an f32 at `at`, or a vec4f at the four elements from 4 * at. */
  readonly store: (at: string, value: string) => string;
}

/** @param epilogue one f32 input, no scalars, one f32 output. */
export function finishOf(epilogue: ElementwiseProgram | undefined, isVector: boolean): Finish {
  const [type, put] = isVector ? (["write vec4f", "put4"] as const) : (["write f32", "put"] as const);
  if (epilogue === undefined) {
    const store = (at: string, value: string): string => `out_${put}(${at}, ${value});`;
    return { operands: { out: type }, uses: [], declarations: "", suffix: "", store };
  }
  const { statements, outputs } = programText(epilogue);
  const one = (value: string): string => `activated(${value})`;
  const all = (value: string): string => `vec4f(${[0, 1, 2, 3].map((i) => one(`${value}[${i}]`)).join(", ")})`;
  return {
    operands: { saved: type, out: type },
    uses: programLibraries(statements),
    declarations: `fn activated(in0: f32) -> f32 {\n${statements}\n  return ${outputs[0]};\n}`,
    suffix: `-${epilogue.name}`,
    store: (at, value) => `saved_${put}(${at}, ${value}); out_${put}(${at}, ${isVector ? all(value) : one(value)});`,
  };
}
