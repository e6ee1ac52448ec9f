/**
 * @file Speed of matmul on a GPU: squares of 1,024 to 8,192 in every way of transposing, f32 and, where the backend stores it, f16. Drivers that compute on
 * the CPU are refused: their times mean nothing.
 *
 * Legend: N size of the square; `T` marks a factor that is read transposed, without a copy.
 */
import { Tensor, withBackend } from "@lockstep/core";
import { adapterName, type WebGpuBackend } from "@lockstep/gpu-backend";
import type { BenchContext, BenchRow } from "./bench-row.js";
import { benchGpu, openRealGpu } from "./open-gpu.js";

const sizes = [1_024, 2_048, 4_096, 8_192] as const;
const ways = [
  { name: "a b", isTurnedA: false, isTurnedB: false },
  { name: "a b T", isTurnedA: false, isTurnedB: true },
  { name: "a T b", isTurnedA: true, isTurnedB: false },
  { name: "a T b T", isTurnedA: true, isTurnedB: true },
] as const;
/** A timing takes at least so long, so that submitting and waiting do not count. */
const timingMs = 200;
const storages = ["f32", "f16"] as const;

/** TFLOPS, and the share of `--peak` where it is given. */
export async function webgpuGemm(context: BenchContext): Promise<BenchRow[]> {
  const gpu = await benchGpu();
  const rows: BenchRow[] = [];
  for (const storage of storages) {
    const backend = await openFor(gpu, storage, context);
    if (backend === undefined) continue;
    context.log(`webgpu-gemm: ${adapterName(backend.adapter)}, ${storage}`);
    for (const size of sizes) {
      if (context.only.length > 0 && !context.only.includes(String(size))) continue;
      rows.push(...(await rowsOf(backend, { size, storage }, context)));
      context.log(`webgpu-gemm: ${storage} ${size} done`);
    }
    backend.dispose();
  }
  return rows;
}

/** Undefined where the backend does not store in this way. @throws {BackendError} E_NO_ADAPTER for a driver that computes on the CPU. */
async function openFor(
  gpu: GPU,
  storage: (typeof storages)[number],
  { nowMs, log }: BenchContext,
): Promise<WebGpuBackend | undefined> {
  const store = { read: async () => undefined, write: async () => {} };
  try {
    return await openRealGpu("webgpu-gemm", gpu, { storage, tuning: { store, nowMs, log } });
  } catch (error) {
    if ((error as { code?: unknown }).code === "E_NO_F16") return undefined;
    throw error;
  }
}

async function rowsOf(
  backend: WebGpuBackend,
  { size, storage }: { readonly size: number; readonly storage: string },
  { runs, nowMs, peakTflops }: BenchContext,
): Promise<BenchRow[]> {
  const values = Float32Array.from({ length: size * size }, (_, i) => ((i * 7_919) % 1_000) / 500 - 1);
  const [a, b, out] = withBackend(backend, () =>
    [0, 1, 2].map(() => Tensor.allocate(backend, [size, size], "f32")),
  ) as [Tensor, Tensor, Tensor];
  for (const { buffer } of [a, b]) backend.write(buffer, 0, values);
  const rows: BenchRow[] = [];
  for (const { name, isTurnedA, isTurnedB } of ways) {
    const view = ({ buffer }: Tensor, isTurned: boolean) => {
      return {
        buffer,
        offset: 0,
        shape: [size, size],
        strides: isTurned ? [1, size] : [size, 1],
        dtype: "f32",
      } as const;
    };
    const timeOf = async (repeats: number): Promise<number> => {
      await backend.finish();
      const startMs = nowMs();
      for (let i = 0; i < repeats; i++) backend.kernels.matmul(view(a, isTurnedA), view(b, isTurnedB), out, {});
      await backend.finish();
      return nowMs() - startMs;
    };
    await timeOf(1);
    const repeats = Math.max(1, Math.ceil(timingMs / (await timeOf(1))));
    const tflops: number[] = [];
    for (let run = 0; run < runs; run++) tflops.push((2 * size ** 3 * repeats) / (await timeOf(repeats)) / 1e9);
    const row = { suite: "webgpu-gemm", name: `${size} ${name}` };
    rows.push({ ...row, metric: storage, unit: "TFLOPS", values: tflops });
    if (peakTflops === undefined) continue;
    const shares = tflops.map((value) => value / peakTflops);
    rows.push({ ...row, metric: `${storage}, share of ${peakTflops} TFLOPS`, unit: "of peak", values: shares });
  }
  for (const tensor of [a, b, out]) tensor.dispose();
  return rows;
}
