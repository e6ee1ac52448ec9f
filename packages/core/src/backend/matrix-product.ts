/** @file A matrix product repeated over batch dims, as strides in elements: read off views, with as few dims as they allow. Pure. */
import type { TensorView } from "./backend.js";

export interface BatchDim {
  readonly size: number;
  /** Elements from one matrix to the next. */
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export interface Product {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly aRow: number;
  readonly aDepth: number;
  readonly bDepth: number;
  readonly bColumn: number;
  readonly cRow: number;
  readonly batch: readonly BatchDim[];
}

/** Joins neighbouring batch dims that one stride covers, drops those of size 1. */
export function collapseBatch(dims: readonly BatchDim[]): BatchDim[] {
  const kept: BatchDim[] = [];
  for (const dim of dims) {
    if (dim.size === 1) continue;
    const outer = kept.at(-1);
    const joins = outer && (["a", "b", "c"] as const).every((name) => outer[name] === dim[name] * dim.size);
    if (joins) kept[kept.length - 1] = { ...dim, size: outer.size * dim.size };
    else kept.push(dim);
  }
  return kept;
}

/** a [..., M, K], b [..., K, N], out [..., M, N] of the same batch dims. */
export function productOf(a: TensorView, b: TensorView, out: TensorView): Product {
  const rank = out.shape.length;
  const stride = (view: TensorView, axis: number): number => view.strides[axis] ?? 0;
  const dims = Array.from({ length: rank - 2 }, (_, axis) => {
    return { size: out.shape[axis] ?? 1, a: stride(a, axis), b: stride(b, axis), c: stride(out, axis) };
  });
  return {
    rows: out.shape[rank - 2] ?? 1,
    columns: out.shape[rank - 1] ?? 1,
    depth: a.shape[rank - 1] ?? 0,
    aRow: stride(a, rank - 2),
    aDepth: stride(a, rank - 1),
    bDepth: stride(b, rank - 2),
    bColumn: stride(b, rank - 1),
    cRow: stride(out, rank - 2),
    batch: collapseBatch(dims),
  };
}

/** x [B, T, C] times one matrix is one product of B * T rows. */
export function foldRows(product: Product): Product {
  const inner = product.batch.at(-1);
  const { rows, aRow, cRow } = product;
  if (inner === undefined || inner.b !== 0 || inner.a !== aRow * rows || inner.c !== cRow * rows) return product;
  return { ...product, rows: rows * inner.size, batch: product.batch.slice(0, -1) };
}

/** How many matrices a product has. */
export function numMatricesOf({ batch }: Product): number {
  return batch.reduce((count, { size }) => count * size, 1);
}

/** Most batch dims of one launch. */
export const maxBatchDims = 3;

/** Sizes of the inner two of three batch dims and the strides of all, in units of `bytes`: the parameters of a kernel. */
export function batchParams({ batch }: Product, bytes = 1) {
  const [dim0, dim1, dim2] = [...Array<undefined>(maxBatchDims - batch.length).fill(undefined), ...batch];
  const [zero, one, two] = [dim0, dim1, dim2].map((dim) => {
    return { a: (dim?.a ?? 0) * bytes, b: (dim?.b ?? 0) * bytes, c: (dim?.c ?? 0) * bytes };
  }) as [Strides, Strides, Strides];
  return {
    ...{ batch1: dim1?.size ?? 1, batch2: dim2?.size ?? 1 },
    ...{ aBatch0: zero.a, aBatch1: one.a, aBatch2: two.a },
    ...{ bBatch0: zero.b, bBatch1: one.b, bBatch2: two.b },
    ...{ cBatch0: zero.c, cBatch1: one.c, cBatch2: two.c },
  };
}

type Strides = Readonly<Record<"a" | "b" | "c", number>>;

/** Products of at most `maxBatchDims` batch dims, and where each begins in a, b and c: one for each index of the outer dims. */
export function* splitBatch(
  product: Product,
  start: Strides = { a: 0, b: 0, c: 0 },
): Generator<{ readonly product: Product; readonly start: Strides }> {
  const [outer, ...inner] = product.batch;
  if (outer === undefined || product.batch.length <= maxBatchDims) {
    yield { product, start };
    return;
  }
  for (let i = 0; i < outer.size; i++) {
    const next = { a: start.a + i * outer.a, b: start.b + i * outer.b, c: start.c + i * outer.c };
    yield* splitBatch({ ...product, batch: inner }, next);
  }
}
