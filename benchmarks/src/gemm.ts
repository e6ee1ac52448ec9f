/**
 * @file Speed of matmul: squares, the products of a transformer step (forward and both gradients), many small products, vectors.
 *
 * Legend: M rows, K reduction, N columns, x batch; `T` marks an operand that is read transposed, without a copy.
 */
import { createNodeCpuBackend, type NodeCpuBackend } from "@lockstep/core/node";
import type { BenchContext, BenchRow } from "./bench-row.js";

interface Product {
  readonly name: string;
  readonly batch: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly aTransposed: boolean;
  readonly bTransposed: boolean;
}

function product(name: string, size: readonly [number, number, number], options: Partial<Product> = {}): Product {
  const [m, k, n] = size;
  return { name, batch: 1, m, k, n, aTransposed: false, bTransposed: false, ...options };
}

const products: readonly Product[] = [
  ...[64, 128, 256, 512, 1_024].map((size) => product(`${size}`, [size, size, size])),
  product("512 x 512 T", [512, 512, 512], { bTransposed: true }),
  product("512 T x 512", [512, 512, 512], { aTransposed: true }),
  product("2048 x 128 x 384", [2_048, 128, 384]),
  product("2048 x 384 x 128 T", [2_048, 384, 128], { bTransposed: true }),
  product("128 T x 2048 x 384", [128, 2_048, 384], { aTransposed: true }),
  product("2048 x 512 x 128", [2_048, 512, 128]),
  product("2048 x 128 x 65 T", [2_048, 128, 65], { bTransposed: true }),
  product("1024 x 384 x 1536", [1_024, 384, 1_536]),
  product("64 of 128 x 32 x 128 T", [128, 32, 128], { batch: 64, bTransposed: true }),
  product("64 of 128 x 128 x 32", [128, 128, 32], { batch: 64 }),
  product("1 x 512 x 512", [1, 512, 512]),
];

/** Multiply-adds of one timing, about 10 ms. */
const workOfTiming = 2e8;

function timeProduct(backend: NodeCpuBackend, p: Product, nowMs: () => number): () => number {
  const { batch, m, k, n } = p;
  const allocate = (rows: number, columns: number, transposed: boolean) => {
    const values = Float32Array.from({ length: batch * rows * columns }, (_, i) => ((i * 7_919) % 1_000) / 500 - 1);
    const buffer = backend.allocate(values.byteLength);
    backend.write(buffer, 0, values);
    const strides = [rows * columns, ...(transposed ? [1, rows] : [columns, 1])];
    return { buffer, offset: 0, shape: [batch, rows, columns], strides, dtype: "f32" } as const;
  };
  const a = allocate(m, k, p.aTransposed);
  const b = allocate(k, n, p.bTransposed);
  const out = allocate(m, n, false);
  const work = batch * m * k * n;
  const times = Math.max(1, Math.round(workOfTiming / work));
  return () => {
    const start = nowMs();
    for (let i = 0; i < times; i++) backend.kernels.matmul(a, b, out, {});
    return (2 * work * times) / (nowMs() - start) / 1e6;
  };
}

/** GFLOPS of each product, both classes, 1 and 2 threads. */
export async function gemm(context: BenchContext): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const numeric of ["strict", "fused"] as const) {
    for (const threads of [1, 2]) {
      const backend = createNodeCpuBackend({ numeric, threads });
      for (const p of products) {
        const measure = timeProduct(backend, p, context.nowMs);
        measure();
        const values = Array.from({ length: context.runs }, measure);
        const metric = `${numeric}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
        rows.push({ suite: "gemm", name: p.name, metric, unit: "GFLOPS", values });
      }
      backend.dispose();
      context.log(`gemm: ${numeric}, ${threads} threads done`);
    }
  }
  return rows;
}
