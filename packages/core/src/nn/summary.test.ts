import { describe, expect, test } from "vitest";
import "../ops/tensor-methods.js";
import { tensor } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";
import * as nn from "./index.js";

class TwoInputs extends nn.Module {
  embed = new nn.Embedding(10, 4);
  fc = new nn.Linear(6, 2);
  unused = new nn.Relu();
  tied = this.embed;
  blocks = [new nn.BatchNorm1d(2)];

  forward(ids: Tensor, more: { readonly features: Tensor }) {
    const joined = this.embed.forward(ids).matmul(tensor(new Float32Array(16), { shape: [4, 4] }));
    const logits = this.fc.forward(tensor(new Float32Array(12), { shape: [2, 6] }).add(more.features));
    return { logits: this.blocks[0]!.forward(logits), joined };
  }
}

describe("summary", () => {
  test("is a table of layers, output shapes, parameters and bytes", () => {
    const model = new nn.Sequential({
      conv: new nn.Conv2d(1, 4, 3, { padding: 1 }),
      norm: new nn.BatchNorm2d(4),
      flat: new nn.Flatten(),
      head: new nn.Linear(256, 10),
    }).freeze("conv");
    expect(String(nn.summary(model, [5, 1, 8, 8]))).toMatchInlineSnapshot(`
      "name     layer        output     parameters  trainable   bytes
      --------------------------------------------------------------
      (model)  Sequential   [5,10]              0          0       0
      conv     Conv2d       [5,4,8,8]          40          0     160
      norm     BatchNorm2d  [5,4,8,8]           8          8      64
      flat     Flatten      [5,256]             0          0       0
      head     Linear       [5,10]          2,570      2,570  10,280
      --------------------------------------------------------------
      total                                 2,618      2,578  10,504"
    `);
  });

  test("takes every input of forward, and everything is as it was afterwards", () => {
    const model = new TwoInputs();
    model.blocks[0]!.eval();
    const ids = tensor([1, 2, 3], { dtype: "i32" });
    const { backend } = ids;
    const features = tensor([1, 2, 3, 4, 5, 6]);
    nn.summary(model, [ids, { features }]);
    const buffers = backend.memory().numBuffers;
    const { rows, numParameters, bytes } = nn.summary(model, [ids, { features }]);
    expect(rows.map(({ name, outputShapes }) => [name, outputShapes])).toEqual([
      [
        "",
        [
          [2, 2],
          [3, 4],
        ],
      ],
      ["embed", [[3, 4]]],
      ["fc", [[2, 2]]],
      ["unused", undefined],
      ["blocks.0", [[2, 2]]],
    ]);
    expect([numParameters, bytes]).toEqual([40 + 14 + 4, 4 * (40 + 14 + 4 + 4)]);
    expect(numParameters).toBe(model.numParameters());
    expect(model.namedModules().map(([, { training }]) => training)).toEqual([true, true, true, true, false]);
    expect(Object.hasOwn(model.fc, "forward")).toBe(false);
    expect(backend.memory().numBuffers).toBe(buffers);
    expect([...model.stateDict().get("blocks.0.runningMean")!.dataSync()]).toEqual([0, 0]);
  });

  test("puts everything back when the model refuses its input", () => {
    const model = new nn.Sequential(new nn.Linear(2, 3));
    expect(() => nn.summary(model, [1, 5])).toThrow(expect.objectContaining({ code: "E_SHAPE" }));
    expect([model.training, Object.hasOwn(model.at(0), "forward")]).toEqual([true, false]);
    const message =
      "summary: input is number; it must be a shape, such as [1, 3, 32, 32], or a list of the inputs of forward.";
    expect(() => nn.summary(model, 5 as never)).toThrow(expect.objectContaining({ code: "E_VALUE", message }));
  });
});
