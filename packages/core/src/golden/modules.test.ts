import { describe, test } from "vitest";
import * as nn from "../nn/index.js";
import "../ops/tensor-methods.js";
import type { Tensor } from "../tensor/tensor.js";
import { readGolden } from "./golden-file.testkit.js";
import { expectModuleCase } from "./module-case.testkit.js";

const { tensors, metadata } = readGolden("module");
const embedDim = 24;
const numHeads = Number(metadata.numHeads);

/** GPT-2's block, named as in tools/golden/module.py. */
class Block extends nn.Module {
  norm1 = new nn.LayerNorm(embedDim);
  attention = new nn.CausalSelfAttention({ embedDim, numHeads });
  norm2 = new nn.LayerNorm(embedDim);
  fc = new nn.Linear(embedDim, 4 * embedDim);
  proj = new nn.Linear(4 * embedDim, embedDim);
  forward(input: Tensor): Tensor {
    const x = input.add(this.attention.forward(this.norm1.forward(input)));
    return x.add(this.proj.forward(this.fc.forward(this.norm2.forward(x)).gelu({ approximate: "tanh" })));
  }
}

const modules: Readonly<Record<string, () => nn.Layer>> = {
  layerNorm: () => new nn.LayerNorm(embedDim),
  linear: () => new nn.Linear(embedDim, 7),
  attention: () => new nn.CausalSelfAttention({ embedDim, numHeads }),
  block: () => new Block(),
};

/** Values of the block reach about 30; f32 sums of up to 96 products on both sides. */
const tolerance = { absolute: 1e-4, relative: 2e-5 };

describe("modules against PyTorch", () => {
  test.each(Object.keys(modules))("%s gives the same output, and gradients of its input and weights", (name) => {
    expectModuleCase(tensors, modules[name]!(), { name, tolerance });
  });
});
