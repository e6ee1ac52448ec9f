/**
 * @file The matmul kernels: tiles of the product, whose factors pass through workgroup memory, a block of it in each invocation's registers.
 *
 * Every element has one accumulator over ascending k, so that which kernel computes it changes nothing but speed. Factors are seen as lines (rows
 * of a, columns of b) of a depth; both strides are free, and the one that is 1 says along which neighbouring invocations load.
 */
import { defineKernel } from "../launch/kernel.js";

const operands = { a: "read f32", b: "read f32", bias: "read f32", out: "write f32" } as const;

const params = {
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
  /** Whether neighbouring invocations load neighbours along k. */
  aDeep: "u32",
  bDeep: "u32",
  /** 0 or a Triangle. */
  triangle: "u32",
} as const;

/**
 * Products of which a triangle is known: tiles of the result that lie above the diagonal are left as they are; or a is zero above
 * the diagonal, so that row i needs no k past i; or below it, no k before i.
 */
export const triangles = { none: 0, lowerResult: 1, lowerLeft: 2, upperLeft: 3 } as const;

export interface TileShape {
  readonly rows: number;
  readonly columns: number;
  /** Steps along k between two barriers. */
  readonly depth: number;
  /** Rows and columns of an invocation's block: multiples of 4, or 1. */
  readonly blockRows: number;
  readonly blockColumns: number;
}

/** Which tile and matrix this workgroup computes. */
function placeText({ rows, columns }: TileShape): string {
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

const each = (count: number, text: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => text(i)).join("\n");

/**
 * How an invocation loads its share of a factor's tile, four lines at one k at a time. Lines past the end load what lies there: they reach no
 * element that is stored. Steps past the depth are zeros in both factors.
 */
function loaderText(factor: "a" | "b", { lines, depth, numLoads }: { lines: number; depth: number; numLoads: number }) {
  const [line, step] = factor === "a" ? ["p.aRow", "p.aDepth"] : ["p.bColumn", "p.bDepth"];
  const isDeep = `p.${factor}Deep == 1u`;
  const quads = lines / 4;
  const places = each(
    numLoads,
    (j) => `
  let ${factor}Index${j} = lane + ${j}u * THREADS;
  let ${factor}K${j} = select(${factor}Index${j} / ${quads}u, ${factor}Index${j} % ${depth}u, ${isDeep});
  let ${factor}Quad${j} = select(${factor}Index${j} % ${quads}u, ${factor}Index${j} / ${depth}u, ${isDeep});
  var ${factor}Next${j} = vec4f();`,
  );
  const loads = (firstK: string): string =>
    each(
      numLoads,
      (j) => `
    ${factor}Next${j} = vec4f();
    if (${firstK} + ${factor}K${j} < endK) {
      let at = ${factor}Start + ${factor}Quad${j} * 4u * ${line} + (${firstK} + ${factor}K${j}) * ${step};
      ${factor}Next${j} = vec4f(${factor}_at(at), ${factor}_at(at + ${line}), ${factor}_at(at + 2u * ${line}), ${factor}_at(at + 3u * ${line}));
    }`,
    );
  const stores = each(
    numLoads,
    (j) => `    ${factor}Tile[${factor}K${j} * ${quads + 1}u + ${factor}Quad${j}] = ${factor}Next${j};`,
  );
  return { places, loads, stores };
}

/** A kernel with blocks of 4 or 8 rows and columns an invocation. */
export function blockedKernel(shape: TileShape) {
  const { rows, columns, depth, blockRows, blockColumns } = shape;
  const [across, down] = [columns / blockColumns, rows / blockRows];
  const threads = across * down;
  const [rowQuads, columnQuads] = [blockRows / 4, blockColumns / 4];
  const a = loaderText("a", { lines: rows, depth, numLoads: (rows / 4) * (depth / threads) });
  const b = loaderText("b", { lines: columns, depth, numLoads: (columns / 4) * (depth / threads) });
  const eachSum = (text: (sum: { row: number; quad: number; name: string }) => string): string =>
    each(blockRows, (row) => each(columnQuads, (quad) => text({ row, quad, name: `sum${row}_${quad}` })));
  const rowAt = (row: number): string => `firstRow + ${Math.floor(row / 4) * down * 4 + (row % 4)}u + y * 4u`;
  const columnAt = (quad: number): string => `firstColumn + ${quad * across * 4}u + x * 4u`;
  const eachElement = (text: (row: number, quad: number, i: number) => string): string =>
    each(blockRows, (row) => each(columnQuads, (quad) => each(4, (i) => text(row, quad, i))));
  return defineKernel({
    name: `matmul${rows}x${columns}`,
    operands,
    params,
    workgroup: [threads, 1, 1],
    declarations: `
const THREADS = ${threads}u;
var<workgroup> aTile: array<vec4f, ${depth * (rows / 4 + 1)}>;
var<workgroup> bTile: array<vec4f, ${depth * (columns / 4 + 1)}>;`,
    body: `${placeText(shape)}
  let x = lane % ${across}u;
  let y = lane / ${across}u;
  ${a.places}
  ${b.places}
  ${eachSum(({ name }) => `  var ${name} = vec4f();`)}
  if (p.accumulates == 1u) {
    ${eachElement((row, quad, i) => `    if (${rowAt(row)} < p.rows && ${columnAt(quad)} + ${i}u < p.columns) { sum${row}_${quad}[${i}] = out_at(cStart + (${rowAt(row)}) * p.cRow + ${columnAt(quad)} + ${i}u); }`)}
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
    ${b.loads("nextK")}
    for (var k = 0u; k < ${depth}u; k++) {
      ${each(rowQuads, (quad) => `      let left${quad} = aTile[k * ${rows / 4 + 1}u + ${quad * down}u + y];`)}
      ${each(columnQuads, (quad) => `      let right${quad} = bTile[k * ${columns / 4 + 1}u + ${quad * across}u + x];`)}
      ${eachSum(({ row, quad, name }) => `      ${name} += left${Math.floor(row / 4)}[${row % 4}] * right${quad};`)}
    }
  }
  ${each(
    blockRows,
    (row) => `
  if (${rowAt(row)} < p.rows) {
    let at = cStart + (${rowAt(row)}) * p.cRow;
    ${each(columnQuads, (quad) =>
      each(
        4,
        (i) => `
    {
      let column = ${columnAt(quad)} + ${i}u;
      if (column < p.columns) {
        var value = sum${row}_${quad}[${i}];
        if (p.hasBias == 1u) { value += bias_at(column); }
        out_put(at + column, value);
      }
    }`,
      ),
    )}
  }`,
  )}`,
  });
}

/** One element an invocation: for products with few rows or columns. */
export function narrowKernel({ rows, columns, depth }: { rows: number; columns: number; depth: number }) {
  const threads = rows * columns;
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
    name: `matmulNarrow${rows}x${columns}`,
    operands,
    params,
    workgroup: [threads, 1, 1],
    declarations: `
var<workgroup> aTile: array<f32, ${depth * (rows + 1)}>;
var<workgroup> bTile: array<f32, ${depth * (columns + 1)}>;`,
    body: `${placeText({ rows, columns, depth, blockRows: 1, blockColumns: 1 })}
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
    for (var k = 0u; k < ${depth}u; k++) { sum += aTile[k * ${rows + 1}u + y] * bTile[k * ${columns + 1}u + x]; }
  }
  if (isInside) {
    if (p.hasBias == 1u) { sum += bias_at(column); }
    out_put(at, sum);
  }`,
  });
}

/** One element an invocation, without workgroup memory: for products of so few rows or columns that a tile would stand empty. */
export const directKernel = defineKernel({
  name: "matmulDirect",
  operands,
  params,
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
  for (var k = beginK; k < endK; k++) { sum += a_at(aStart + k * p.aDepth) * b_at(bStart + k * p.bDepth); }
  if (p.hasBias == 1u) { sum += bias_at(column); }
  out_put(at, sum);`,
});
