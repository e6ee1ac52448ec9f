import { expect, test } from "vitest";
import "../ops/tensor-methods.js";
import * as ops from "../ops/index.js";
import { tensor, zeros } from "../tensor/create.js";
import * as nn from "./index.js";

test.each([
  {
    make: () => new nn.DropPath(1),
    code: "E_LAYER",
    message: "DropPath: probability is 1; it must be in [0, 1).",
  },
  {
    make: () => new nn.LeakyRelu(Number.NaN),
    code: "E_LAYER",
    message: "LeakyRelu: slope is NaN; it must be a finite number.",
  },
  {
    make: () => new nn.PRelu({ numParameters: 3 }).forward(zeros([2, 4])),
    code: "E_SHAPE",
    message:
      "prelu: weight has shape [3], but x is [2,4]; weight must have shape [1] or [4], the channels of x (dim 1).",
  },
  {
    make: () => ops.celu(tensor([1]), { alpha: 0 }),
    code: "E_VALUE",
    message: "celu: alpha is 0; it must be finite and not 0.",
  },
  {
    make: () => new nn.Softplus({ beta: -1 }).forward(tensor([1])),
    code: "E_VALUE",
    message: "softplus: beta is -1; it must be a finite number above 0.",
  },
  {
    make: () => ops.hardTanh(tensor([1]), { min: 2, max: 1 }),
    code: "E_VALUE",
    message: "hardTanh: min is 2 and max 1; min must be smaller than max.",
  },
  {
    make: () => new nn.Glu().forward(zeros([2, 3])),
    code: "E_SHAPE",
    message: "glu: x is [2,3], whose axis -1 has 3 elements; the number must be even.",
  },
  {
    make: () => new nn.InstanceNorm2d(3).forward(zeros([1, 3, 1, 1])),
    code: "E_SHAPE",
    message:
      "InstanceNorm2d: x is [1,3,1,1]; it must be [B,3,H,W], batch, numFeatures and spatial dims of at least two elements together.",
  },
  {
    make: () => new nn.Bilinear({ leftDim: 2, rightDim: 3, outDim: 1 }).forward(zeros([4, 2]), zeros([5, 3])),
    code: "E_SHAPE",
    message: "Bilinear: x is [4,2] and y [5,3]; they must be [...,2] and [...,3] with the same leading dims.",
  },
  {
    make: () => new nn.PixelShuffle(2).forward(zeros([1, 6, 2, 2])),
    code: "E_SHAPE",
    message: "pixelShuffle: x is [1,6,2,2] and factor 2; 4 must divide 6, its channels (dim 1).",
  },
  {
    make: () => ops.pixelUnshuffle(zeros([1, 1, 3, 4]), 2),
    code: "E_SHAPE",
    message: "pixelUnshuffle: x is [1,1,3,4] and factor 2; factor must divide height and width (dims 2 and 3).",
  },
  {
    make: () => ops.cosineSimilarity(tensor([[1]]), tensor([[1]]), { eps: 0 }),
    code: "E_VALUE",
    message: "cosineSimilarity: eps is 0; it must be above 0.",
  },
  {
    make: () => new nn.Conv1d(1, 1, 3, { padding: "same", stride: 2 }).forward(zeros([1, 1, 5])),
    code: "E_VALUE",
    message: 'conv1d: padding is "same" and stride [2]; the stride must be 1. Give the padding as numbers.',
  },
  {
    make: () => ops.conv1d(zeros([1, 1, 5]), zeros([1, 1, 3]), undefined, { padding: "full" as never }),
    code: "E_VALUE",
    message: 'conv1d: padding is "full"; it must be a number, a list of numbers, "same" or "valid".',
  },
])("says: $message", ({ make, code, message }) => {
  expect(make).toThrow(expect.objectContaining({ code, message }));
});
