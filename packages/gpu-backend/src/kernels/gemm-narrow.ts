/**
 * @file The matmul kernels for few rows or columns: tiles of single elements, and none at all. Each element has one accumulator over ascending k, as in
 * gemm-tile.ts; the stride that is 1 says along which neighbouring invocations load.
 */
import type { ElementwiseProgram } from "@lockstep/core";
import { defineKernel } from "../launch/kernel.js";
import { finishOf, params, placeText, triangles } from "./gemm-params.js";

const factors = { a: "read f32", b: "read f32", bias: "read f32" } as const;

/** One element an invocation: for products with few rows or columns. */
export function narrowKernel(
  { rows, columns, depth }: { readonly rows: number; readonly columns: number; readonly depth: number },
  epilogue?: ElementwiseProgram,
) {
  const threads = rows * columns;
  const finish = finishOf(epilogue, false);
  const load = (factor: "a" | "b", lines: number): string => {
    const [first, count, line, step] =
      factor === "a"
        ? ["firstRow", "p.rows", "p.aRow", "p.aDepth"]
        : ["firstColumn", "p.columns", "p.bColumn", "p.bDepth"];
    const isDeep = `p.${factor}Deep == 1u`;
    return `
    for (var i = lane; i < ${lines * depth}u; i += ${threads}u) {
      let k = select(i / ${lines}u, i % ${depth}u, ${isDeep});
      let line = select(i % ${lines}u, i / ${depth}u, ${isDeep});
      var value = 0.0;
      if (firstK + k < endK && ${first} + line < ${count}) { value = ${factor}_at(${factor}Start + line * ${line} + (firstK + k) * ${step}); }
      ${factor}Tile[k * ${lines + 1}u + line] = value;
    }`;
  };
  return defineKernel({
    name: `matmulNarrow${rows}x${columns}${finish.suffix}`,
    operands: { ...factors, ...finish.operands },
    params,
    workgroup: [threads, 1, 1],
    uses: finish.uses,
    declarations: `
var<workgroup> aTile: array<f32, ${depth * (rows + 1)}>;
var<workgroup> bTile: array<f32, ${depth * (columns + 1)}>;
${finish.declarations}`,
    body: `${placeText({ rows, columns })}
  let x = lane % ${columns}u;
  let y = lane / ${columns}u;
  let row = firstRow + y;
  let column = firstColumn + x;
  let isInside = row < p.rows && column < p.columns;
  let at = cStart + row * p.cRow + column;
  var sum = 0.0;
  if (p.accumulates == 1u && isInside) { sum = out_at(at); }
  for (var firstK = beginK; firstK < endK; firstK += ${depth}u) {
    workgroupBarrier();
    ${load("a", rows)}
    ${load("b", columns)}
    workgroupBarrier();
    for (var k = 0u; k < ${depth}u; k++) { sum = fma(aTile[k * ${rows + 1}u + y], bTile[k * ${columns + 1}u + x], sum); }
  }
  if (isInside) {
    if (p.hasBias == 1u) { sum += bias_at(column); }
    ${finish.store("at", "sum")}
  }`,
  });
}

/** One element an invocation, without workgroup memory: for products of so few rows or columns that a tile would stand empty. */
export function directKernel(epilogue?: ElementwiseProgram) {
  const finish = finishOf(epilogue, false);
  return defineKernel({
    name: `matmulDirect${finish.suffix}`,
    operands: { ...factors, ...finish.operands },
    params,
    uses: finish.uses,
    declarations: finish.declarations,
    body: `
  let perMatrix = p.rows * p.columns;
  if (item >= p.numGroups) { return; }
  let matrix = item / perMatrix;
  let row = (item % perMatrix) / p.columns;
  let column = item % p.columns;
  let i2 = matrix % p.batch2;
  let i1 = (matrix / p.batch2) % p.batch1;
  let i0 = matrix / (p.batch2 * p.batch1);
  let aStart = i0 * p.aBatch0 + i1 * p.aBatch1 + i2 * p.aBatch2 + row * p.aRow;
  let bStart = i0 * p.bBatch0 + i1 * p.bBatch1 + i2 * p.bBatch2 + column * p.bColumn;
  let at = i0 * p.cBatch0 + i1 * p.cBatch1 + i2 * p.cBatch2 + row * p.cRow + column;
  if (p.triangle == ${triangles.lowerResult}u && column > row) { return; }
  let beginK = select(0u, row, p.triangle == ${triangles.upperLeft}u);
  let endK = select(p.depth, min(p.depth, row + 1u), p.triangle == ${triangles.lowerLeft}u);
  var sum = 0.0;
  if (p.accumulates == 1u) { sum = out_at(at); }
  for (var k = beginK; k < endK; k++) { sum = fma(a_at(aStart + k * p.aDepth), b_at(bStart + k * p.bDepth), sum); }
  if (p.hasBias == 1u) { sum += bias_at(column); }
  ${finish.store("at", "sum")}`,
  });
}
