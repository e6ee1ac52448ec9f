/**
 * @file What a training step costs this side of a GPU: launches, submits, bytes, and microseconds of JavaScript a launch. Kernel times of drivers that
 * compute on the CPU mean nothing, so none are measured.
 */
import { dropGradient, losses, microBatchScope, seedScope, type Tensor, tensor, withBackend } from "@lockstep/core";
import { adapterName, createWebGpuBackend } from "@lockstep/gpu-backend";
import { Gpt, type GptName, gptConfig } from "@lockstep/models";
import type { BenchContext, BenchRow } from "./bench-row.js";
import { benchGpu } from "./open-gpu.js";

const samples = 2;
const warmSteps = 3;
const models: readonly GptName[] = ["gpt-nano", "gpt-small"];

/** Forward and backward of a GPT; the update is the CPU's. */
export async function webgpu(context: BenchContext): Promise<BenchRow[]> {
  const gpu = await benchGpu();
  const rows: BenchRow[] = [];
  for (const name of models) {
    if (context.only.length > 0 && !context.only.includes(name)) continue;
    const backend = await createWebGpuBackend(gpu, { allowSoftware: true });
    const config = gptConfig(name);
    const model = withBackend(backend, () => seedScope(1, () => new Gpt(config)));
    // Made before the clock runs: reading data is no cost of a launch.
    const tokens = Array.from({ length: 2 * (warmSteps + context.runs) }, (_, m) =>
      Int32Array.from({ length: samples * config.seqLen }, (_, i) => (i * i + m) % config.vocabSize),
    );
    const ids = (m: number): Tensor => tensor(tokens[m]!, { shape: [samples, config.seqLen] });
    const runner = backend.createStepRunner();
    const eager = backend.createStepRunner({ noRecord: true });
    const step = (m: number, by = eager): void =>
      withBackend(backend, () =>
        microBatchScope({ seed: 1, step: 0, m }, () => {
          by.run(
            { step: 0, m },
            {
              input: () => ({ x: ids(2 * m), y: ids(2 * m + 1) }),
              main: ({ x, y }) => {
                losses.crossEntropy(model.forward(x), y).sum.backward();
                for (const parameter of model.parameters()) dropGradient(parameter);
              },
            },
          );
        }),
      );
    for (let m = 0; m < warmSteps; m++) step(m);
    for (let m = 0; m < warmSteps; m++) step(m, runner);
    await backend.finish();
    const figures: Record<"launches" | "submits" | "eager" | "replay", number[]> = {
      ...{ launches: [], submits: [], eager: [], replay: [] },
    };
    for (let run = 0; run < context.runs; run++) {
      for (const [kind, by] of [["eager", eager] as const, ["replay", runner] as const]) {
        const before = backend.figures();
        const startMs = context.nowMs();
        step(warmSteps + run, by);
        const recordedMs = context.nowMs() - startMs;
        await backend.finish();
        const after = backend.figures();
        const launches = after.numLaunches - before.numLaunches;
        figures[kind].push((1_000 * recordedMs) / launches);
        if (kind === "eager") continue;
        figures.launches.push(launches);
        figures.submits.push(after.numSubmits - before.numSubmits);
      }
    }
    const { plannedBytes, unplannedBytes } = runner.figures();
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
      row("JavaScript a launch, eager", "us", figures.eager),
      row("JavaScript a launch, replay", "us", figures.replay),
      row("memory plan of a replay", "MiB", [plannedBytes / 2 ** 20]),
      row("the same tensors without reuse", "MiB", [unplannedBytes / 2 ** 20]),
      row("buffers held", "MiB", [backend.memory().reservedBytes / 2 ** 20]),
    );
    context.log(`webgpu: ${name} on ${adapterName(backend.adapter)} done`);
    backend.dispose();
  }
  return rows;
}
