/**
 * @file layerNorm over the last dim and its gradients. A row is shared by LANES invocations (lane-grid.ts).
 *
 *   mean = sum(x) / C      var = sum((x - mean)^2) / C      rstd = 1 / sqrt(var + eps)      out = (x - mean) * rstd * weight + bias
 *   g = dOut * weight      dx = (g - sum(g) / C - xhat * (sum(g * xhat) / C)) * rstd        xhat = (x - mean) * rstd
 *   dWeight = sum over N of dOut * xhat      dBias = sum over N of dOut
 *
 * The sums over N run as those of reduce.ts over an outer axis: blocks, lanes, then the blocks.
 * Legend: N flattened rows, C embed.
 */
import type { TensorView } from "@lockstep/core";
import type { KernelTable, LayerNormBackwardInputs, LayerNormOutputs } from "@lockstep/core/backend";
import { defineKernel, type KernelHost } from "../launch/kernel.js";
import { rowFolds, rowLaunch, rowPlace } from "./lane-grid.js";
import { foldAxis, foldParams, foldPlace, foldPlan, laneTree } from "./reduce.js";

const params = { numRows: "u32", length: "u32" } as const;

const layerNorm = defineKernel({
  name: "layerNorm",
  operands: {
    x: "read f32",
    weight: "read f32",
    bias: "read f32",
    out: "write f32",
    mean: "write f32",
    rstd: "write f32",
  },
  params: { ...params, eps: "f32" },
  uses: [rowFolds],
  body: `${rowPlace}
  var total = 0.0;
  for (var c = l; c < p.length; c += LANES) { total += x_at(start + c); }
  let average = rowSum(lane, total) / f32(p.length);
  total = 0.0;
  for (var c = l; c < p.length; c += LANES) { let d = x_at(start + c) - average; total += d * d; }
  let factor = 1.0 / sqrt(rowSum(lane, total) / f32(p.length) + p.eps);
  if (!isOurs) { return; }
  if (l == 0u) { mean_put(n, average); rstd_put(n, factor); }
  for (var c = l; c < p.length; c += LANES) {
    out_put(start + c, (x_at(start + c) - average) * factor * weight_at(c) + bias_at(c));
  }`,
});

const inputGradient = defineKernel({
  name: "layerNormInputGradient",
  operands: {
    dOut: "read f32",
    x: "read f32",
    weight: "read f32",
    mean: "read f32",
    rstd: "read f32",
    dx: "write f32",
  },
  params,
  uses: [rowFolds],
  body: `${rowPlace}
  let average = mean_at(n);
  let factor = rstd_at(n);
  var gradients = 0.0;
  var products = 0.0;
  for (var c = l; c < p.length; c += LANES) {
    let g = dOut_at(start + c) * weight_at(c);
    gradients += g;
    products += g * ((x_at(start + c) - average) * factor);
  }
  gradients = rowSum(lane, gradients) / f32(p.length);
  products = rowSum(lane, products) / f32(p.length);
  if (!isOurs) { return; }
  for (var c = l; c < p.length; c += LANES) {
    let xhat = (x_at(start + c) - average) * factor;
    dx_put(start + c, (dOut_at(start + c) * weight_at(c) - gradients - xhat * products) * factor);
  }`,
});

/** A block of rows becomes one partial a column. Seen as [outer = 1, K = N, inner = C]. */
const weightGradients = defineKernel({
  name: "layerNormWeightGradients",
  operands: {
    dOut: "read f32",
    x: "read f32",
    mean: "read f32",
    rstd: "read f32",
    dWeight: "write f32",
    dBias: "write f32",
  },
  params: foldParams,
  declarations: "var<workgroup> weights: array<f32, 256>;\nvar<workgroup> biases: array<f32, 256>;",
  body: `${foldPlace}
  var weight = 0.0;
  var bias = 0.0;
  for (var k = l; k < count; k += LANES) {
    let at = base + k * p.inner;
    let d = dOut_at(at);
    weight += d * ((x_at(at) - mean_at(first + k)) * rstd_at(first + k));
    bias += d;
  }
  weights[lane] = weight;
  biases[lane] = bias;${laneTree("weights[lane] += weights[other]; biases[lane] += biases[other];")}
  if (isOurs && l == 0u) { dWeight_put(slot, weights[lane]); dBias_put(slot, biases[lane]); }`,
});

function backwardWeights(
  host: KernelHost,
  { dOut, x, mean, rstd }: LayerNormBackwardInputs,
  outputs: { readonly dWeight: TensorView; readonly dBias: TensorView },
): void {
  const [axisLength = 0, inner = 0] = x.shape;
  if (inner === 0) return;
  const { constants, blockLength, numBlocks, groups } = foldPlan({ outer: 1, axisLength, inner });
  const launch = (dWeight: TensorView, dBias: TensorView): void => {
    const operands = { dOut, x, mean, rstd, dWeight, dBias };
    const values = { outer: 1, axisLength, inner, blockLength, numBlocks };
    host.launch(weightGradients, operands, values, { groups, constants });
  };
  if (numBlocks === 1) {
    launch(outputs.dWeight, outputs.dBias);
    return;
  }
  const fold = { type: "f32", kind: "sum", axisView: { outer: 1, axisLength: numBlocks, inner } } as const;
  host.withTemporary([numBlocks * inner], "f32", (weights) => {
    host.withTemporary([numBlocks * inner], "f32", (biases) => {
      launch(weights, biases);
      foldAxis(host, fold, { x: weights, out: outputs.dWeight });
      foldAxis(host, fold, { x: biases, out: outputs.dBias });
    });
  });
}

export function layerNormRows(host: KernelHost) {
  return {
    layerNorm(x: TensorView, weight: TensorView, bias: TensorView, eps: number, outputs: LayerNormOutputs): void {
      const [numRows = 0, length = 0] = x.shape;
      const operands = { x, weight, bias, ...outputs };
      host.launch(layerNorm, operands, { numRows, length, eps }, rowLaunch(numRows, length, host.choices.subgroupSize));
    },
    layerNormBackward(inputs: LayerNormBackwardInputs, dx: TensorView, dWeight: TensorView, dBias: TensorView): void {
      const [numRows = 0, length = 0] = inputs.x.shape;
      host.launch(
        inputGradient,
        { ...inputs, dx },
        { numRows, length },
        rowLaunch(numRows, length, host.choices.subgroupSize),
      );
      backwardWeights(host, inputs, { dWeight, dBias });
    },
  } satisfies Partial<KernelTable>;
}
