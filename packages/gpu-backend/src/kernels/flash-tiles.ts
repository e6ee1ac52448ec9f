/**
 * @file Pieces of the tiled attention kernels: a square tile of dot products in registers, and the product of such a tile with rows of a matrix.
 *
 * A workgroup of 256 has 16 x 16 blocks of 4 rows and 4 columns. Invocation (x, y) holds rows 4 y..4 y + 3 and columns 4 x..4 x + 3 of a tile, each row a
 * vec4. Every element has one accumulator over ascending d (dot products) or ascending rows of the right matrix (products).
 * Rows past the last are zeros, so that what lies there reaches nothing.
 *
 * Legend: T sequence, D head dim.
 */

/** Rows and columns of a tile. */
export const tileSize = 64;
/** Steps of a dot product, and rows of a right matrix, between two barriers. */
const depth = 16;
/** Of these steps, how many a pass of the loop takes. Bounds have p.zero added: some drivers unroll whole nests of loops, which takes minutes. */
const unrolled = 2;
/** vec4s of a line of 64 numbers, and of one that neighbours do not share a bank with. */
const quads = tileSize / 4;
const paddedQuads = quads + 1;
/** Columns of a tile that lie in workgroup memory at once. */
const weightRows = tileSize / 2;
/** Where the right matrix begins, and where a vec4 of each invocation has room. */
const rightStart = weightRows * paddedQuads;
const areaSize = rightStart + depth * quads;

export const each = (count: number, text: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => text(i)).join("\n");

/** Column blocks of 64 that hold a head. */
export function blocksOf(headDim: number): number {
  return Math.ceil(headDim / tileSize);
}

export const flashDeclarations = `
var<workgroup> area: array<vec4f, ${areaSize}>;
/* e^x for x <= 0, and a little above: expOf of four, without branches */
fn exp4(x: vec4f) -> vec4f {
  let bounded = clamp(x, vec4f(-104.0), vec4f(88.0));
  let n = round(bounded * 1.4426950408889634);
  let r = (bounded - n * 0.693359375) - n * -2.1219444e-4;
  var q = vec4f(1.98756915e-4);
  q = q * r + 1.3981999507e-3;
  q = q * r + 8.3334519073e-3;
  q = q * r + 4.1665795894e-2;
  q = q * r + 1.6666665459e-1;
  q = q * r + 5.0000001201e-1;
  let fraction = q * (r * r) + r;
  let whole = vec4i(n);
  let first = whole >> vec4u(1u);
  let power = bitcast<vec4f>((first + 127) << vec4u(23u)) * bitcast<vec4f>((whole - first + 127) << vec4u(23u));
  let isNotANumber = (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
  return select(select((fraction + 1.0) * power, vec4f(), x < vec4f(-104.0)), x, isNotANumber);
}`;

/** A matrix of rows of D numbers one after another: operand, and the variables of its start and of its row stride. */
export interface RowMatrix {
  readonly operand: string;
  readonly start: string;
  readonly rowStride: string;
}

/** The view [B, H, T, D] of an operand at this workgroup's batch and head. */
export function headText(operand: string): { readonly matrix: RowMatrix; readonly text: string } {
  const start = `${operand}Start`;
  return {
    matrix: { operand, start, rowStride: `p.${operand}Row` },
    text: `let ${start} = (matrix / p.heads) * p.${operand}Batch + (matrix % p.heads) * p.${operand}Head;`,
  };
}

export const headStrides = <const Name extends string>(operand: Name) =>
  ({ [`${operand}Batch`]: "u32", [`${operand}Head`]: "u32", [`${operand}Row`]: "u32" }) as Readonly<
    Record<`${Name}${"Batch" | "Head" | "Row"}`, "u32">
  >;

/** Which matrix and which tile of rows this workgroup has. The tiles with the most work come first where `isDescending`. */
export function placeText(isDescending: boolean): string {
  return `
  if (group >= p.numGroups) { return; }
  let matrix = group / p.numTiles;
  let tile = ${isDescending ? "p.numTiles - 1u - group % p.numTiles" : "group % p.numTiles"};
  let firstRow = tile * ${tileSize}u;
  let x = lane % 16u;
  let y = lane / 16u;`;
}

/** Declares `${name}0`..`${name}3`: a tile of zeros. */
export function tileText(name: string): string {
  return each(4, (i) => `var ${name}${i} = vec4f();`);
}

/** tile = left rows times right rows: 64 of each, from the rows given. Begins and ends with the area free for others after a barrier. */
export function dotsText(
  tile: string,
  left: { readonly matrix: RowMatrix; readonly firstRow: string },
  right: { readonly matrix: RowMatrix; readonly firstRow: string },
): string {
  const load = (side: typeof left, at: number): string => {
    const { operand, start, rowStride } = side.matrix;
    const element = (i: number): string =>
      `select(0.0, ${operand}_at(at + ${i}u * ${rowStride}), isDeep && row + ${i}u < p.tokens)`;
    return `{
      let row = ${side.firstRow} + y * 4u;
      let at = ${start} + row * ${rowStride} + firstDepth + x;
      area[${at}u + x * ${paddedQuads}u + y] = vec4f(${[0, 1, 2, 3].map(element).join(", ")});
    }`;
  };
  return `
  ${each(4, (i) => `${tile}${i} = vec4f();`)}
  for (var firstDepth = 0u; firstDepth < p.headDim; firstDepth += ${depth}u) {
    let isDeep = firstDepth + x < p.headDim;
    workgroupBarrier();
    ${load(left, 0)}
    ${load(right, depth * paddedQuads)}
    workgroupBarrier();
    for (var d = 0u; d < ${depth}u + p.zero; d += ${unrolled}u) {
      ${each(
        unrolled,
        (j) => `{
        let ofLeft = area[(d + ${j}u) * ${paddedQuads}u + y];
        let ofRight = area[${depth * paddedQuads}u + (d + ${j}u) * ${paddedQuads}u + x];
        ${each(4, (i) => `${tile}${i} += ofLeft[${i}] * ofRight;`)}
      }`,
      )}
    }
  }`;
}

/** Declares the accumulators `${name}B_R`: of column block B and row R, columns 64 B + 4 x.. */
export function sumsText(name: string, numBlocks: number): string {
  return each(numBlocks, (block) => each(4, (row) => `var ${name}${block}_${row} = vec4f();`));
}

/** sums += tile times the 64 rows of the right matrix that begin at firstRow. */
export function productText(
  sums: string,
  tile: string,
  right: { readonly matrix: RowMatrix; readonly firstRow: string; readonly numBlocks: number },
): string {
  const { operand, start, rowStride } = right.matrix;
  const column = (j: number): string => `vec4f(${[0, 1, 2, 3].map((i) => `${tile}${i}[${j}]`).join(", ")})`;
  const store = each(4, (j) => `      area[(x % 8u * 4u + ${j}u) * ${paddedQuads}u + y] = ${column(j)};`);
  const element = (i: number): string => `select(0.0, ${operand}_at(at + ${i}u), isRow && column + ${i}u < p.headDim)`;
  const { numBlocks } = right;
  // All columns of as many rows as have room.
  const numRows = numBlocks === 3 ? 4 : depth / numBlocks;
  const rowQuads = numBlocks * quads;
  // Of many blocks a step is long enough alone.
  const numTaken = numBlocks > 2 ? 1 : unrolled;
  const multiply = (j: number): string => `{
        let weights = area[(step + k + ${j}u) * ${paddedQuads}u + y];
        ${each(
          numBlocks,
          (block) => `let values${block} = area[${rightStart}u + (k + ${j}u) * ${rowQuads}u + ${block * quads}u + x];
        ${each(4, (i) => `${sums}${block}_${i} += weights[${i}] * values${block};`)}`,
        )}
      }`;
  return `
  for (var half = 0u; half < 2u + p.zero; half++) {
    for (var step = 0u; step < ${weightRows}u + p.zero; step += ${numRows}u) {
      workgroupBarrier();
      if (step == 0u && x / 8u == half) {
${store}
      }
      ${numBlocks === 3 ? `if (lane < ${numRows * rowQuads}u) ` : ""}{
        let row = ${right.firstRow} + half * ${weightRows}u + step + lane / ${rowQuads}u;
        let column = lane % ${rowQuads}u * 4u;
        let isRow = row < p.tokens;
        let at = ${start} + row * ${rowStride} + column;
        area[${rightStart}u + lane] = vec4f(${[0, 1, 2, 3].map(element).join(", ")});
      }
      workgroupBarrier();
      for (var k = 0u; k < ${numRows}u + p.zero; k += ${numTaken}u) {
      ${each(numTaken, multiply)}
      }
    }
  }`;
}

/** `name` = what the 16 invocations of each row have in `value` (a vec4 of four rows), combined over ascending x. */
export function acrossText(name: string, value: string, combined: (a: string, b: string) => string): string {
  return `
  workgroupBarrier();
  area[${rightStart}u + lane % 16u * 16u + lane / 16u] = ${value};
  workgroupBarrier();
  var ${name} = area[${rightStart}u + y];
  for (var i = 1u; i < 16u; i++) { ${name} = ${combined(name, `area[${rightStart}u + i * 16u + y]`)}; }`;
}

/** Writes sums times a factor of each row to the rows that begin at firstRow. */
export function storeText(
  sums: string,
  to: RowMatrix,
  options: { readonly numBlocks: number; readonly factor: (row: number) => string },
): string {
  return each(
    4,
    (row) => `
  if (firstRow + y * 4u + ${row}u < p.tokens) {
    let at = ${to.start} + (firstRow + y * 4u + ${row}u) * ${to.rowStride};
    ${each(options.numBlocks, (block) =>
      each(
        4,
        (i) => `
    if (${block * tileSize + i}u + x * 4u < p.headDim) { ${to.operand}_put(at + ${block * tileSize + i}u + x * 4u, ${sums}${block}_${row}[${i}]${options.factor(row)}); }`,
      ),
    )}
  }`,
  );
}
