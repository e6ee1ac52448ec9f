/** @file A thousand steps of training take what ten took: memory of the device and of the process, bind groups, staging buffers, pipelines. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { losses, microBatchScope, nn, optim, seedScope, tensor, withBackend, zeros } from "@lockstep/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevice } from "./device/open-device.js";
import { randomFloats, randomIntegers } from "./kernels/kernel-run.testkit.js";
import { describeGpu, testGpu } from "./testing.testkit.js";
import { WebGpuBackend } from "./webgpu-backend.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What 400 steps may add to the process, 160 kB each: drivers and allocators keep some of what they are given back. */
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
  const made = { liveBuffers: 0, bindGroups: 0 };
  const countLife = (buffer: GPUBuffer): void => {
    made.liveBuffers++;
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      made.liveBuffers--;
      return destroy();
    };
  };

  beforeAll(async () => {
    const opened = await openDevice(testGpu(), { allowSoftware: true });
    const { device } = opened;
    const counted = new Proxy(device, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          const result = (value as (...args: unknown[]) => unknown).apply(target, args);
          if (name === "createBindGroup") made.bindGroups++;
          if (name === "createBuffer") countLife(result as GPUBuffer);
          return result;
        };
      },
    });
    backend = new WebGpuBackend({ ...opened, device: counted });
  });
  afterAll(() => backend.dispose());

  test.each([
    ["op by op", true],
    ["replayed", false],
  ])(
    "%s takes no more after 1,000 steps than after 10",
    async (_, noRecord) => {
      const model = withBackend(backend, () => seedScope(3, () => new Net()));
      const parameters = [...model.parameters()];
      const optimizer = new optim.AdamW(parameters, { learningRate: 0.01 });
      const [ids, targets] = [randomIntegers(24, 30, 1), randomIntegers(24, 30, 2)];
      const runner = backend.createStepRunner({ noRecord });
      const [loss, ...gradients] = withBackend(backend, () => [
        zeros([]),
        ...parameters.map(({ shape }) => zeros(shape)),
      ]);
      const { copy } = backend.kernels;
      const forwardAndBackward = (step: number): void =>
        microBatchScope({ seed: 1, step, m: 0 }, () =>
          runner.run(
            { step, m: 0 },
            {
              input: () => {
                const noise = tensor(randomFloats(24 * 30, step), { shape: [24, 30] });
                return { noise, ids: tensor(ids), targets: tensor(targets) };
              },
              main: (input) => {
                const { sum } = losses.crossEntropy(model.forward(input.ids).add(input.noise.mul(0.01)), input.targets);
                copy(sum, loss!);
                sum.backward();
                for (const [i, parameter] of parameters.entries()) copy(parameter.grad!, gradients[i]!);
                optimizer.zeroGrad();
              },
            },
          ),
        );
      const trainStep = (step: number) =>
        withBackend(backend, () => {
          forwardAndBackward(step);
          for (const [i, parameter] of parameters.entries()) parameter.grad = gradients[i];
          const norm = optim.clipGradNormAsync(parameters, 1);
          optimizer.step();
          for (const parameter of parameters) parameter.grad = undefined;
          return { reads: [loss!.item(), norm] };
        });
      const state = async () => {
        await backend.finish();
        const { usedBytes, reservedBytes, numBuffers, peakBytes } = backend.memory();
        const { numPipelines } = backend.figures();
        return { usedBytes, reservedBytes, numBuffers, peakBytes, numPipelines, liveBuffers: made.liveBuffers };
      };
      let afterTen: Awaited<ReturnType<typeof state>> | undefined;
      let halfway = { rss: 0, bindGroups: 0 };
      const sums: number[] = [];
      for (let step = 1; step <= 1_000; step++) {
        const [value] = await Promise.all(trainStep(step).reads);
        sums.push(value!);
        if (step === 10) afterTen = await state();
        // By then every order in which free buffers are handed out has been seen, replays were compared once, and the heap has grown.
        if (step === 600) halfway = { rss: await collectedRss(), bindGroups: made.bindGroups };
      }
      expect(await state()).toEqual(afterTen);
      expect(made.bindGroups).toBe(halfway.bindGroups);
      expect((await collectedRss()) - halfway.rss).toBeLessThan(maxGrowthBytes);
      // It was training all the while.
      expect(sums.at(-1)).toBeLessThan(0.2 * sums[0]!);
      expect(runner.figures().numReplayed > 900).toBe(!noRecord);
      runner.dispose();
      optimizer.dispose();
      for (const held of [loss!, ...gradients, ...parameters]) held.dispose();
    },
    240_000,
  );
});
