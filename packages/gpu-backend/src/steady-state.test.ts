/** @file A thousand steps of training take what ten took: memory of the device and of the process, bind groups, staging buffers, pipelines. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { losses, nn, optim, scope, tensor, withBackend } from "@lockstep/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevice } from "./device/open-device.js";
import { randomFloats, randomIntegers } from "./kernels/kernel-run.testkit.js";
import { describeGpu, testGpu } from "./testing.testkit.js";
import { WebGpuBackend } from "./webgpu-backend.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What 500 steps may add to the process, 128 kB each: drivers and allocators keep some of what they are given back. */
const maxGrowthBytes = 64_000_000;

/** Resident bytes without what only waits to be collected. */
async function collectedRss(): Promise<number> {
  collectGarbage();
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  return process.memoryUsage.rss();
}

class Net extends nn.Module {
  readonly embedding = new nn.Embedding(30, 16);
  readonly norm = new nn.LayerNorm(16);
  readonly hidden = new nn.Linear(16, 32);
  readonly out = new nn.Linear(32, 30);
  forward(ids: Parameters<nn.Embedding["forward"]>[0]) {
    return this.out.forward(this.hidden.forward(this.norm.forward(this.embedding.forward(ids))).gelu());
  }
}

describeGpu("training in a steady state", () => {
  let backend: WebGpuBackend;
  const made = { buffers: 0, bindGroups: 0 };

  beforeAll(async () => {
    const opened = await openDevice(testGpu(), { allowSoftware: true });
    const { device } = opened;
    const counted = new Proxy(device, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (name === "createBuffer") made.buffers++;
          if (name === "createBindGroup") made.bindGroups++;
          return (value as (...args: unknown[]) => unknown).apply(target, args);
        };
      },
    });
    backend = new WebGpuBackend({ ...opened, device: counted });
  });
  afterAll(() => backend.dispose());

  test("takes no more after 1,000 steps than after 10", async () => {
    const model = withBackend(backend, () => new Net());
    const optimizer = new optim.AdamW(model.parameters(), { learningRate: 0.01 });
    const [ids, targets] = [randomIntegers(24, 30, 1), randomIntegers(24, 30, 2)];
    const trainStep = (step: number) =>
      withBackend(backend, () =>
        scope(() => {
          const noise = tensor(randomFloats(24 * 30, step), { shape: [24, 30] });
          const logits = model.forward(tensor(ids)).add(noise.mul(0.01));
          const { sum } = losses.crossEntropy(logits, tensor(targets));
          sum.backward();
          const norm = optim.clipGradNormAsync(model.parameters(), 1);
          optimizer.step();
          optimizer.zeroGrad();
          return { reads: [sum.item(), norm] };
        }),
      );
    const state = async () => {
      await backend.finish();
      const { usedBytes, reservedBytes, numBuffers, peakBytes } = backend.memory();
      const { numPipelines } = backend.figures();
      return { usedBytes, reservedBytes, numBuffers, peakBytes, numPipelines, madeBuffers: made.buffers };
    };
    let afterTen: Awaited<ReturnType<typeof state>> | undefined;
    let halfway = { rss: 0, bindGroups: 0 };
    const sums: number[] = [];
    for (let step = 1; step <= 1_000; step++) {
      const [loss] = await Promise.all(trainStep(step).reads);
      sums.push(loss!);
      if (step === 10) afterTen = await state();
      // By then every order in which free buffers are handed out has been seen, and the allocator's arenas have grown.
      if (step === 500) halfway = { rss: await collectedRss(), bindGroups: made.bindGroups };
    }
    expect(await state()).toEqual(afterTen);
    expect(made.bindGroups).toBe(halfway.bindGroups);
    expect((await collectedRss()) - halfway.rss).toBeLessThan(maxGrowthBytes);
    // It was training all the while.
    expect(sums.at(-1)).toBeLessThan(0.2 * sums[0]!);
  }, 240_000);
});
