import { describe, expect, test } from "vitest";
import { binaryCrossEntropyWithLogits } from "../losses/index.js";
import * as nn from "../nn/index.js";
import { where } from "../ops/index.js";
import "../ops/tensor-methods.js";
import { full, tensor } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";
import { readGolden, worstError } from "./golden-file.testkit.js";
import { weightsOf } from "./module-case.testkit.js";

type AnyLayer = nn.Module & { forward(...inputs: never[]): Tensor };

class Function_ extends nn.Module {
  readonly run: (...inputs: Tensor[]) => Tensor;
  constructor(run: (x: Tensor, y: Tensor) => Tensor) {
    super();
    this.run = run as (...inputs: Tensor[]) => Tensor;
  }
  forward(...inputs: Tensor[]): Tensor {
    return this.run(...inputs);
  }
}

/** Case name of tools/golden/nn_modules.py -> the same layer. */
const layers: Readonly<Record<string, () => AnyLayer>> = {
  relu: () => new nn.Relu(),
  relu6: () => new nn.Relu6(),
  leakyRelu: () => new nn.LeakyRelu(0.2),
  prelu: () => new nn.PRelu(),
  elu: () => new nn.Elu(),
  eluAlpha: () => new nn.Elu({ alpha: 0.7 }),
  selu: () => new nn.Selu(),
  celu: () => new nn.Celu(),
  celuAlpha: () => new nn.Celu({ alpha: 1.5 }),
  gelu: () => new nn.Gelu(),
  geluTanh: () => new nn.Gelu({ approximate: "tanh" }),
  silu: () => new nn.Silu(),
  mish: () => new nn.Mish(),
  softplus: () => new nn.Softplus(),
  softplusBeta: () => new nn.Softplus({ beta: 2.5 }),
  softsign: () => new nn.Softsign(),
  tanh: () => new nn.Tanh(),
  sigmoid: () => new nn.Sigmoid(),
  logSigmoid: () => new nn.LogSigmoid(),
  hardSigmoid: () => new nn.HardSigmoid(),
  hardSwish: () => new nn.HardSwish(),
  hardTanh: () => new nn.HardTanh(),
  hardTanhWide: () => new nn.HardTanh({ min: -0.5, max: 3 }),
  glu: () => new nn.Glu(),
  gluRows: () => new nn.Glu(0),
  swiGlu: () => new nn.SwiGlu(),
  softmax: () => new nn.Softmax(),
  softmaxRows: () => new nn.Softmax(0),
  logSoftmax: () => new nn.LogSoftmax(),
  erf: () => new Function_((x) => x.erf()),
  floor: () => new Function_((x) => x.mul(x.floor())),
  clip: () => new Function_((x) => x.clip(-1, 2.5)),
  cube: () => new Function_((x) => x.pow(3)),
  inverseRoot: () => new Function_((x) => x.pow(-0.5)),
  greater: () => new Function_((x, y) => where(x.gt(y), x, y.mul(2))),
  different: () => new Function_((x, y) => where(x.ne(y), x.mul(y), x)),
  logitsLoss: () => new Function_((x) => binaryCrossEntropyWithLogits(x, full(x.shape, 0.3)).sum),
  preluChannels: () => new nn.PRelu({ numParameters: 3 }),
  flatten: () => new nn.Flatten(),
  flattenSome: () => new nn.Flatten(0, 1),
  unflatten: () => new nn.Unflatten(1, [2, -1]),
  instanceNorm1d: () => new nn.InstanceNorm1d(3),
  instanceNorm2d: () => new nn.InstanceNorm2d(3, { affine: true }),
  instanceNorm3d: () => new nn.InstanceNorm3d(2, { eps: 1e-3 }),
  bilinear: () => new nn.Bilinear({ leftDim: 4, rightDim: 3, outDim: 5 }),
  bilinearNoBias: () => new nn.Bilinear({ leftDim: 2, rightDim: 3, outDim: 1 }, { bias: false }),
  pixelShuffle: () => new nn.PixelShuffle(2),
  pixelUnshuffle: () => new nn.PixelUnshuffle(3),
  cosineSimilarity: () => new nn.CosineSimilarity(),
  cosineSimilarityRows: () => new nn.CosineSimilarity({ axis: 0, eps: 1e-6 }),
  conv1dSame: () => new nn.Conv1d(3, 4, 4, { padding: "same" }),
  conv2dSame: () => new nn.Conv2d(3, 4, [3, 2], { padding: "same", dilation: [2, 3] }),
  conv2dValid: () => new nn.Conv2d(2, 3, 3, { padding: "valid", stride: 2 }),
};

/** Sums of up to 120 products in f32 on both sides, in different orders. */
const tolerance = { absolute: 1e-5, relative: 1e-5 };

describe("activations and layers against PyTorch", () => {
  const { tensors } = readGolden("nn_modules");

  test("every golden case has a counterpart here, and every counterpart a golden case", () => {
    const found = new Set([...tensors.keys()].map((key) => key.split("/")[0]!));
    expect(Object.keys(layers).sort()).toEqual([...found].sort());
  });

  test.each(Object.keys(layers))("%s gives the same output and gradients", (name) => {
    const part = (suffix: string) => tensors.get(`${name}/${suffix}`)!;
    const layer = layers[name]!();
    layer.loadStateDict(weightsOf(tensors, name));
    const inputs = [0, 1]
      .filter((i) => tensors.has(`${name}/in/${i}`))
      .map((i) => tensor(part(`in/${i}`).data, { shape: part(`in/${i}`).shape, requiresGrad: true }));
    const out = layer.forward(...(inputs as never[]));
    expect(out.shape).toEqual(part("out").shape);
    expect(worstError(out.dataSync(), part("out").data, tolerance)).toBeLessThanOrEqual(1);
    out.backward({ cotangent: tensor(part("cotangent").data, { shape: out.shape }) });
    const leaves = [...inputs.map((leaf, i): [string, Tensor] => [String(i), leaf]), ...layer.namedParameters()];
    for (const [key, leaf] of leaves) {
      expect(worstError(leaf.grad!.dataSync(), part(`grad/${key}`).data, tolerance), key).toBeLessThanOrEqual(1);
    }
  });
});
