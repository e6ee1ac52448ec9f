/**
 * @file What a training step costs this side of a GPU: launches, submits, bytes, and microseconds of JavaScript a launch. Kernel times of drivers that
 * compute on the CPU mean nothing, so none are measured.
 */
import { losses, microBatchScope, nextGenerator, seedScope, tensor, withBackend } from "@lockstep/core";
import { createWebGpuBackend } from "@lockstep/gpu-backend";
import { loadWebGpu } from "@lockstep/gpu-backend/node";
import { Gpt, type GptName, gptConfig } from "@lockstep/models";
import type { BenchContext, BenchRow } from "./bench-row.js";

const samples = 2;
const warmSteps = 3;
const models: readonly GptName[] = ["gpt-nano", "gpt-small"];

/** Forward and backward of a GPT; the update is the CPU's. */
export async function webgpu(context: BenchContext): Promise<BenchRow[]> {
  const folder = process.env.LOCKSTEP_WEBGPU;
  const gpu = await loadWebGpu({ folders: folder === undefined ? [process.cwd()] : [folder, process.cwd()] });
  const rows: BenchRow[] = [];
  for (const name of models) {
    if (context.only.length > 0 && !context.only.includes(name)) continue;
    const backend = await createWebGpuBackend(gpu, { allowSoftware: true });
    const config = gptConfig(name);
    const model = withBackend(backend, () => seedScope(1, () => new Gpt(config)));
    const step = (m: number): void =>
      withBackend(backend, () =>
        microBatchScope({ seed: 1, step: 0, m }, () => {
          const random = nextGenerator();
          const ids = () =>
            tensor(
              Int32Array.from({ length: samples * config.seqLen }, () => random.integer(config.vocabSize)),
              {
                shape: [samples, config.seqLen],
              },
            );
          losses.crossEntropy(model.forward(ids()), ids()).sum.backward();
          for (const parameter of model.parameters()) {
            parameter.grad?.dispose();
            parameter.grad = undefined;
          }
        }),
      );
    for (let m = 0; m < warmSteps; m++) step(m);
    await backend.finish();
    const figures: Record<"launches" | "submits" | "microseconds", number[]> = {
      launches: [],
      submits: [],
      microseconds: [],
    };
    for (let run = 0; run < context.runs; run++) {
      const before = backend.figures();
      const startMs = context.nowMs();
      step(warmSteps + run);
      const recordedMs = context.nowMs() - startMs;
      await backend.finish();
      const after = backend.figures();
      const launches = after.numLaunches - before.numLaunches;
      figures.launches.push(launches);
      figures.submits.push(after.numSubmits - before.numSubmits);
      figures.microseconds.push((1_000 * recordedMs) / launches);
    }
    const row = (metric: string, unit: string, values: readonly number[]): BenchRow => ({
      suite: "webgpu",
      name,
      metric,
      unit,
      values,
    });
    rows.push(
      row("launches of a step", "launches", figures.launches),
      row("submits of a step", "submits", figures.submits),
      row("JavaScript a launch", "us", figures.microseconds),
      row("buffers held", "MiB", [backend.memory().reservedBytes / 2 ** 20]),
    );
    context.log(`webgpu: ${name} on ${backend.adapter.description || backend.adapter.device} done`);
    backend.dispose();
  }
  return rows;
}
