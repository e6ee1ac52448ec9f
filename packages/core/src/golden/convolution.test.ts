import { describe, expect, test } from "vitest";
import * as nn from "../nn/index.js";
import { readGolden } from "./golden-file.testkit.js";
import { expectModuleCase } from "./module-case.testkit.js";

const { tensors } = readGolden("convolution");

/** Case name of tools/golden/convolution.py -> the same layer. */
const layers: Readonly<Record<string, () => nn.Layer>> = {
  conv1d: () => new nn.Conv1d(3, 4, 3, { stride: 2, padding: 1, dilation: 2 }),
  conv2d: () => new nn.Conv2d(3, 5, 3),
  conv2dAll: () =>
    new nn.Conv2d(4, 6, [3, 2], { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2, bias: false }),
  conv2dDepthwise: () => new nn.Conv2d(4, 8, 3, { padding: 1, groups: 4 }),
  conv2dOneTap: () => new nn.Conv2d(5, 3, 1, { stride: 2 }),
  conv3d: () => new nn.Conv3d(2, 3, [2, 3, 3], { stride: [1, 2, 1], padding: 1 }),
  convTranspose1d: () => new nn.ConvTranspose1d(3, 4, 4, { stride: 3, padding: 1, outputPadding: 2 }),
  convTranspose2d: () => new nn.ConvTranspose2d(4, 3, 2, { stride: 2 }),
  convTranspose2dAll: () =>
    new nn.ConvTranspose2d(4, 6, 3, { stride: [2, 3], padding: 1, outputPadding: [1, 2], groups: 2, dilation: [2, 1] }),
  maxPool1d: () => new nn.MaxPool1d(3, { stride: 2, padding: 1 }),
  maxPool2d: () => new nn.MaxPool2d(2),
  maxPool2dCeil: () => new nn.MaxPool2d([3, 2], { stride: 2, padding: 1, ceilMode: true }),
  avgPool1d: () => new nn.AvgPool1d(3, { stride: 2, padding: 1 }),
  avgPool2d: () => new nn.AvgPool2d(2),
  avgPool2dCeil: () => new nn.AvgPool2d(3, { stride: 2, padding: 1, ceilMode: true }),
  avgPool2dUnpadded: () => new nn.AvgPool2d([2, 3], { stride: 2, padding: 1, countIncludePad: false }),
  adaptiveAvgPool1d: () => new nn.AdaptiveAvgPool1d(4),
  adaptiveAvgPool2d: () => new nn.AdaptiveAvgPool2d([3, 1]),
  adaptiveMaxPool1d: () => new nn.AdaptiveMaxPool1d(4),
  adaptiveMaxPool2d: () => new nn.AdaptiveMaxPool2d([3, 2]),
  upsampleNearest: () => new nn.Upsample({ scaleFactor: 2 }),
  upsampleNearestSize: () => new nn.Upsample({ size: [7, 5] }),
  upsampleNearest1d: () => new nn.Upsample({ size: 9 }),
  upsampleLinear: () => new nn.Upsample({ size: 9, mode: "linear" }),
  upsampleBilinear: () => new nn.Upsample({ scaleFactor: 2, mode: "bilinear" }),
  upsampleBilinearAligned: () => new nn.Upsample({ size: [7, 6], mode: "bilinear", alignCorners: true }),
  upsampleBilinearSmaller: () => new nn.Upsample({ size: [3, 2], mode: "bilinear" }),
  batchNorm1d: () => new nn.BatchNorm1d(5),
  batchNorm1dLong: () => new nn.BatchNorm1d(3, { eps: 1e-3, momentum: 0.3 }),
  batchNorm2d: () => new nn.BatchNorm2d(3),
  batchNorm2dPlain: () => new nn.BatchNorm2d(3, { affine: false }),
  batchNorm2dEval: () => new nn.BatchNorm2d(3).eval(),
  groupNorm: () => new nn.GroupNorm(2, 6),
  groupNormPlain: () => new nn.GroupNorm(3, 6, { affine: false }),
  rmsNorm: () => new nn.RmsNorm(24, { eps: 1e-6 }),
};

/** Sums of up to 120 products in f32 on both sides, in different orders; PyTorch's interpolation weights are f32. */
const tolerance = { absolute: 1e-5, relative: 1e-5 };

describe("layers of images against PyTorch", () => {
  test("every golden case has a counterpart here, and every counterpart a golden case", () => {
    const found = new Set([...tensors.keys()].map((key) => key.split("/")[0]!));
    expect(Object.keys(layers).sort()).toEqual([...found].sort());
  });

  test.each(Object.keys(layers))("%s gives the same output, gradients and running statistics", (name) => {
    expectModuleCase(tensors, layers[name]!(), { name, tolerance });
  });
});
