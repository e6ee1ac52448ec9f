import { losses, optim, scope, seedScope, tensor } from "@lockstep/core";
import { describe, expect, test } from "vitest";
import { Lenet } from "./lenet/lenet.js";
import { Resnet18, type Resnet18Config, torchvisionNames } from "./resnet/resnet18.js";
import { Unet } from "./unet/unet.js";
import { renameWeights } from "./weight-names.js";

describe("vision models", () => {
  test("LeNet learns which half of an image is bright", () => {
    const model = seedScope(3, () => new Lenet({ imageSize: 12, numClasses: 2 }));
    const pixels = Float32Array.from({ length: 8 * 144 }, (_, i) => {
      const isTop = i % 144 < 72;
      return (Math.floor(i / 144) % 2 === 0) === isTop ? 1 : 0.01 * (i % 7);
    });
    const x = tensor(pixels, { shape: [8, 1, 12, 12] });
    const y = tensor(Int32Array.from({ length: 8 }, (_, i) => i % 2));
    const optimizer = new optim.Adam(model.parameters(), { learningRate: 0.01 });
    const step = () => {
      const loss = scope(() => {
        const mean = losses.meanLoss(losses.crossEntropy(model.forward(x), y));
        mean.backward();
        return mean.itemSync();
      });
      optimizer.step();
      optimizer.zeroGrad();
      return loss;
    };
    expect(step()).toBeGreaterThan(0.5);
    for (let i = 0; i < 30; i++) step();
    expect(step()).toBeLessThan(0.01);
  });

  test("ResNet-18 has torchvision's 11,689,512 parameters under its names", () => {
    const model = new Resnet18();
    expect(model.parameters().reduce((total, p) => total + p.size, 0)).toBe(11_689_512);
    const names = [...model.stateDict().keys()];
    expect(names).toEqual(
      expect.arrayContaining(["layer2.0.downsample.1.runningVar", "layer4.1.bn2.weight", "fc.bias"]),
    );
    const theirs = ["layer2.0.downsample.1.running_var", "layer2.0.downsample.1.num_batches_tracked", "fc.bias"];
    const ours = renameWeights(
      theirs.map((name) => [name, 0] as const),
      torchvisionNames,
    );
    expect([...ours.keys()]).toEqual(["layer2.0.downsample.1.runningVar", "fc.bias"]);
    model.dispose();
  });

  test("ResNet-18's convolutions begin with the deviation of their outgoing products", () => {
    const model = seedScope(1, () => new Resnet18({ width: 16, stem: "small" }));
    const values = Array.from(model.layer3[1]!.conv1.weight.dataSync());
    const meanSquare = values.reduce((total, value) => total + value * value, 0) / values.length;
    expect(meanSquare / (2 / (64 * 9))).toBeCloseTo(1, 1);
  });

  test.each([
    {
      make: () => new Lenet({ imageSize: 11 }),
      message: "Lenet: imageSize is 11; it must be at least 12, or nothing is left after two poolings.",
    },
    {
      make: () => new Lenet({ numClasses: 0 }),
      message: "Lenet: numClasses is 0; it must be a whole number of at least 1.",
    },
    {
      make: () => new Resnet18({ width: 1.5 }),
      message: "Resnet18: width is 1.5; it must be a whole number of at least 1.",
    },
    {
      make: () => new Resnet18({ stem: "tiny" as unknown as NonNullable<Resnet18Config["stem"]> }),
      message: 'Resnet18: stem is "tiny"; it must be one of large, small.',
    },
    { make: () => new Unet({ depth: -1 }), message: "Unet: depth is -1; it must be a whole number of at least 1." },
  ])("says: $message", ({ make, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", code: "E_MODEL_CONFIG", message }));
  });

  test.each([
    {
      run: () => new Lenet().forward(tensor(new Float32Array(1024), { shape: [1, 1, 32, 32] })),
      message: "Lenet: x is [1,1,32,32]; it must be [B,1,28,28] (imageSize). Scale the images or set imageSize.",
    },
    {
      run: () => new Unet({ depth: 2, width: 2 }).forward(tensor(new Float32Array(48), { shape: [1, 1, 6, 8] })),
      message:
        "Unet: x is [1,1,6,8]; it must be [B,1,H,W] with H and W divisible by 4, 2^depth. Pad the images or lower depth.",
    },
  ])("says: $message", ({ run, message }) => {
    expect(run).toThrow(expect.objectContaining({ name: "ShapeError", code: "E_SHAPE", message }));
  });
});
