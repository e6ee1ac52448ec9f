/** @file A job's micro-batches on WebGPU: replayed after the first two, summed on the device, to the bits of steps run op by op. */
import { losses, nn, optim, schedules, type Tensor, tensor } from "@lockstep/core";
import { createWebGpuBackend } from "@lockstep/gpu-backend";
import { loadWebGpu } from "@lockstep/gpu-backend/node";
import {
  type AnyJob,
  buildTraining,
  createJobFiles,
  DeviceMirror,
  defineJob,
  type JobDataset,
  type MirrorStep,
  parseJobConfig,
} from "@lockstep/worker";
import { describe, expect, test } from "vitest";

const vocabSize = 11;

/** One block with tied embeddings and dropout. */
class TinyGpt extends nn.Module {
  tokens = new nn.Embedding(vocabSize, 8);
  norm = new nn.LayerNorm(8);
  attention = new nn.CausalSelfAttention({ embedDim: 8, numHeads: 2 });
  dropout = new nn.Dropout(0.25);
  forward(ids: Tensor): Tensor {
    const x = this.dropout.forward(this.tokens.forward(ids)); // [B, T, 8]
    return x.add(this.attention.forward(this.norm.forward(x)).gelu()).matmul(this.tokens.weight.transpose(0, 1));
  }
}

interface Tokens {
  readonly inputs: Tensor;
  readonly targets: Tensor;
}

function sequences(size: number): JobDataset<Tokens> {
  return {
    size,
    batch(samples) {
      const rows = samples.map(({ index }) =>
        Array.from({ length: 7 }, (_, t) => (index * 5 + t * t * 3 + ((index >> 1) % 3) * t) % vocabSize),
      );
      const part = (begin: number) =>
        tensor(
          rows.map((row) => row.slice(begin, begin + 6)),
          { dtype: "i32" },
        );
      return { inputs: part(0), targets: part(1) };
    },
  };
}

const tinyGptJob: AnyJob = defineJob({
  name: "tiny-gpt",
  unit: "tokens",
  training: { globalBatchSize: 12, microBatchSize: 2, totalSteps: 5, bucketBytes: 512 },
  data: () => ({ train: sequences(31), eval: sequences(5) }),
  model: () => new TinyGpt(),
  loss: (model, batch) => losses.crossEntropy(model.forward(batch.inputs), batch.targets),
  optimizer: (_config, model) => new optim.AdamW(model.parameters(), {}),
  schedule: () => schedules.constant(0.01),
});

const { LOCKSTEP_REQUIRE_GPU: isRequired, LOCKSTEP_WEBGPU: folder } = process.env;

async function openMirror(options: { readonly noRecord?: boolean } = {}): Promise<DeviceMirror> {
  const gpu = await loadWebGpu({ folders: folder === undefined ? [] : [folder] });
  const backend = await createWebGpuBackend(gpu, { allowSoftware: true });
  const config = parseJobConfig(tinyGptJob);
  const training = buildTraining({ job: tinyGptJob, config, seed: 7, files: createJobFiles([]), backend });
  return new DeviceMirror(backend, training, options);
}

/** Loss, weight and the whole vector, as text. */
async function textOf(mirror: DeviceMirror, step: MirrorStep): Promise<string> {
  const words = new Uint32Array((await vectorOf(mirror, step)).buffer);
  return `${(await step.loss)[0]} ${step.weight} ${Array.from(words, (word) => word.toString(16)).join()}`;
}

/** Every micro-batch of some steps: nodes [0, 4), [4, 6). */
async function runSteps(mirror: DeviceMirror, numSteps: number): Promise<string[]> {
  const texts: string[] = [];
  for (let step = 0; step < numSteps; step++) {
    for (const [lo, hi] of [
      [0, 4],
      [4, 6],
    ] as const) {
      for (let m = lo; m < hi; m++)
        texts.push(await textOf(mirror, mirror.step({ stepIndex: step, node: { lo, hi }, microBatch: m })));
    }
  }
  return texts;
}

describe.skipIf(isRequired !== "1")("a job's micro-batches on WebGPU", () => {
  test("replays have the bits of steps run op by op, and all but two of eighteen are replays", async () => {
    const [replayed, eager] = [await openMirror(), await openMirror({ noRecord: true })];
    const texts = await runSteps(replayed, 3);
    expect(texts).toEqual(await runSteps(eager, 3));
    expect(new Set(texts).size).toBe(18);
    expect(replayed.figures()).toMatchObject({ numEager: 2, numReplayed: 16 });
    expect(eager.figures()).toMatchObject({ numEager: 18, numReplayed: 0 });
    for (const mirror of [replayed, eager]) mirror.dispose();
  });

  test("the sum of a node is the tree sum of its micro-batches", async () => {
    const mirror = await openMirror();
    const { training } = mirror;
    const leaves: Float32Array[] = [];
    for (let m = 0; m < 4; m++)
      leaves.push(await vectorOf(mirror, mirror.step({ stepIndex: 0, node: { lo: m, hi: m + 1 }, microBatch: m })));
    const sum = await vectorOf(mirror, mirror.step({ stepIndex: 0, node: { lo: 0, hi: 4 }, microBatch: 3 }));
    // (0 + 1) + (2 + 3), one f32 addition each.
    const expected = leaves[0]!.map((x, i) =>
      Math.fround(Math.fround(x + leaves[1]![i]!) + Math.fround(leaves[2]![i]! + leaves[3]![i]!)),
    );
    expect([...sum]).toEqual([...expected]);
    expect(training.layout.length).toBe(sum.length);
    mirror.dispose();
  });

  test("a finished subtree of a node that was left is taken as it is", async () => {
    const mirror = await openMirror();
    const half = await vectorOf(mirror, mirror.step({ stepIndex: 0, node: { lo: 0, hi: 2 }, microBatch: 1 }));
    await mirror.step({ stepIndex: 0, node: { lo: 0, hi: 4 }, microBatch: 2 }).loss;
    const [taken] = mirror.take([{ lo: 0, hi: 2 }])!;
    const vector = new Float32Array(half.length);
    for (const { firstEntry, values } of taken!) {
      vector.set(await values, mirror.training.layout.parameters[firstEntry]!.offset);
    }
    expect([...vector]).toEqual([...half]);
    expect(mirror.take([{ lo: 0, hi: 2 }])).toBeUndefined();
    mirror.dispose();
  });
});

async function vectorOf({ training }: DeviceMirror, { loss, chunks }: MirrorStep): Promise<Float32Array> {
  // No read is left under way when the device goes.
  await loss;
  const vector = new Float32Array(training.layout.length);
  for (const { firstEntry, values } of chunks) vector.set(await values, training.layout.parameters[firstEntry]!.offset);
  return vector;
}
