/**
 * @file Training steps of a GPT on a GPU, in tokens a second: replayed, with the update on the device, and with gradients that are read and updated on
 * the CPU, as workers of unlike kinds do it. Drivers that compute on the CPU are refused.
 */
import {
  createCpuBackend,
  dropGradient,
  microBatchScope,
  nextGenerator,
  optim,
  seedScope,
  type Tensor,
  tensor,
  withBackend,
} from "@lockstep/core";
import { adapterName, type WebGpuBackend } from "@lockstep/gpu-backend";
import { Gpt, type GptName, gptConfig, gptLoss } from "@lockstep/models";
import type { BenchContext, BenchRow } from "./bench-row.js";
import { benchGpu, openRealGpu } from "./open-gpu.js";

/** Samples of a step. */
const models: Readonly<Partial<Record<GptName, number>>> = { "gpt-small": 8, "gpt2-124m": 4 };
const warmSteps = 4;

interface Sized {
  readonly name: string;
  readonly samples: number;
  readonly config: ReturnType<typeof gptConfig>;
}

export async function webgpuTrain(context: BenchContext): Promise<BenchRow[]> {
  const gpu = await benchGpu();
  const rows: BenchRow[] = [];
  for (const [name, samples] of Object.entries(models)) {
    if (context.only.length > 0 && !context.only.includes(name)) continue;
    const model: Sized = { name, samples, config: gptConfig(name as GptName) };
    const backend = await openRealGpu("webgpu-train", gpu);
    context.log(`webgpu-train: ${model.name} on ${adapterName(backend.adapter)}`);
    rows.push(...(await rowsOf(backend, model, context)));
    backend.dispose();
  }
  return rows;
}

async function rowsOf(backend: WebGpuBackend, model: Sized, context: BenchContext): Promise<BenchRow[]> {
  const tokens = model.samples * model.config.seqLen;
  const row = (metric: string, values: readonly number[]): BenchRow => {
    return { suite: "webgpu-train", name: model.name, metric, unit: "tokens/s", values };
  };
  const rows: BenchRow[] = [];
  for (const [metric, trainer] of [
    ["update on the device", onDevice(backend, model)],
    ["update on the CPU", besideCpu(backend, model)],
  ] as const) {
    let step = 0;
    while (step < warmSteps) await trainer.step(step++);
    const rates: number[] = [];
    for (let run = 0; run < context.runs; run++) {
      const startMs = context.nowMs();
      await trainer.step(step++);
      rates.push((1_000 * tokens) / (context.nowMs() - startMs));
    }
    rows.push(row(metric, rates));
    context.log(`webgpu-train: ${model.name}, ${metric} done`);
  }
  return rows;
}

interface Trainer {
  /** Ends when the step has been taken. */
  step(step: number): Promise<void>;
}

/** Forward and backward, recorded and replayed. `use` is given the gradients, in the order of the parameters, before they are freed. */
function gradientsOf(backend: WebGpuBackend, { config, samples }: Sized, use: (model: Gpt) => void) {
  const model = withBackend(backend, () => seedScope(1, () => new Gpt(config)));
  const parameters = [...model.parameters()];
  const grads = withBackend(backend, () =>
    parameters.map(({ shape, size }) => tensor(new Float32Array(size), { shape })),
  );
  const runner = backend.createStepRunner();
  const ids = (): Tensor => {
    const random = nextGenerator();
    const values = Int32Array.from({ length: samples * config.seqLen }, () => random.integer(config.vocabSize));
    return tensor(values, { shape: [samples, config.seqLen] });
  };
  const run = (step: number): void =>
    withBackend(backend, () =>
      microBatchScope({ seed: 1, step, m: 0 }, () => {
        runner.run(
          { step, m: 0 },
          {
            input: () => ({ inputs: ids(), targets: ids() }),
            main: (batch) => {
              gptLoss(model, batch).sum.backward();
              parameters.forEach((parameter, i) => {
                backend.kernels.copy(parameter.grad!, grads[i]!);
                dropGradient(parameter);
              });
            },
          },
        );
        parameters.forEach((parameter, i) => {
          parameter.grad = grads[i]!.alias();
        });
        use(model);
      }),
    );
  return { model, parameters, grads, run };
}

function onDevice(backend: WebGpuBackend, model: Sized): Trainer {
  let optimizer: optim.AdamW | undefined;
  let norm: Promise<number> = Promise.resolve(0);
  const { run } = gradientsOf(backend, model, (gpt) => {
    optimizer ??= new optim.AdamW(gpt.parameters());
    norm = optim.clipGradNormAsync(gpt.parameters(), 1);
    optimizer.step();
    optimizer.zeroGrad();
  });
  return {
    async step(step) {
      run(step);
      await norm;
    },
  };
}

function besideCpu(backend: WebGpuBackend, sized: Sized): Trainer {
  const cpu = createCpuBackend();
  const home = withBackend(cpu, () => seedScope(1, () => new Gpt(sized.config)));
  const own = [...home.parameters()];
  const optimizer = withBackend(cpu, () => new optim.AdamW(home.parameters()));
  const { parameters, grads, run } = gradientsOf(backend, sized, (gpt) => {
    for (const parameter of gpt.parameters()) dropGradient(parameter);
  });
  return {
    async step(step) {
      run(step);
      const values = await Promise.all(grads.map((grad) => grad.data()));
      withBackend(cpu, () => {
        own.forEach((parameter, i) => {
          parameter.grad = tensor(values[i]!, { shape: parameter.shape });
        });
        optim.clipGradNorm(own, 1);
        optimizer.step();
        optimizer.zeroGrad();
      });
      own.forEach((parameter, i) => {
        backend.write(parameters[i]!.buffer, parameters[i]!.offset, parameter.dataSync());
      });
    },
  };
}
