/**
 * @file layerNorm over the last dim and the gradient of its input. An item is a row. (layer-norm-weights.ts has dWeight and dBias.)
 *
 *   mean = sum(x) / C      var = sum((x - mean)^2) / C      rstd = 1 / sqrt(var + eps)      out = (x - mean) * rstd * weight + bias
 *   g = dOut * weight      dx = (g - sum(g) / C - xhat * (sum(g * xhat) / C)) * rstd        xhat = (x - mean) * rstd
 *
 * Legend: N flattened rows, C embed.
 */
import type { TensorView } from "../../backend/backend.js";
import type { KernelTable, LayerNormBackwardInputs, LayerNormOutputs } from "../../backend/kernel-table.js";
import { defineKernel, type KernelHost, type KernelRoom } from "../kernel.js";
import { rowSum } from "../sum-order.js";
import type { Local } from "../wasm/assembler.js";
import { add, assign, define, forRange, increase, mul, push, storeVector, words } from "../wasm/integer.js";
import { launchLayerNormWeights, layerNormWeights } from "./layer-norm-weights.js";
import { forVectors, mapRow, scratchRowBytes } from "./row-loop.js";
import { pushVector } from "./softmax.js";

/** Elements that take about 20 us. */
const rowGrain = 60_000;

const forwardArgs = {
  x: "i32",
  weight: "i32",
  bias: "i32",
  eps: "f32",
  length: "i32",
  rowBytes: "i32",
  out: "i32",
  mean: "i32",
  rstd: "i32",
} as const;

const backwardArgs = {
  dOut: "i32",
  x: "i32",
  weight: "i32",
  mean: "i32",
  rstd: "i32",
  length: "i32",
  rowBytes: "i32",
  dx: "i32",
} as const;

const layerNorm = defineKernel("layerNorm", forwardArgs, (kernel) => {
  const { f, begin, end, context, arg } = kernel;
  const [x, weight, bias, eps, length] = [arg("x"), arg("weight"), arg("bias"), arg("eps"), arg("length")];
  const [out, mean, rstd] = [arg("out"), arg("mean"), arg("rstd")];
  const centred = kernel.scratch();
  const squares = define(f, add(centred, arg("rowBytes")));
  const [vector, splat] = f.locals("v128", 2) as [Local, Local];
  const row = f.local("i32");
  const to = f.local("i32");
  const pushMean = (address: Local): void => {
    f.get(address).get(length).call(context.indexOf(rowSum)).get(length).op("f32.convert_i32_s", "f32.div");
  };
  forRange(f, { from: begin, to: end }, (n) => {
    assign(f, row, add(x, words(mul(n, length))));
    assign(f, to, add(out, words(mul(n, length))));
    push(f, add(mean, words(n)));
    pushMean(row);
    f.mem("f32.store");
    push(f, add(mean, words(n)))
      .mem("v128.load32_splat")
      .set(splat);
    forVectors(f, length, (offset) => {
      pushVector(f, row, offset);
      f.get(splat).op("f32x4.sub").set(vector);
      storeVector(f, vector, add(centred, offset));
      f.get(vector).get(vector).op("f32x4.mul").set(vector);
      storeVector(f, vector, add(squares, offset));
    });
    push(f, add(rstd, words(n))).f32(1);
    pushMean(squares);
    f.get(eps).op("f32.add", "f32.sqrt", "f32.div").mem("f32.store");
    push(f, add(rstd, words(n)))
      .mem("v128.load32_splat")
      .set(splat);
    mapRow(f, { to, count: length }, (offset) => {
      pushVector(f, centred, offset);
      f.get(splat).op("f32x4.mul");
      pushVector(f, weight, offset);
      f.op("f32x4.mul");
      pushVector(f, bias, offset);
      f.op("f32x4.add");
    });
  });
});

const layerNormInput = defineKernel("layerNormInputGradient", backwardArgs, (kernel) => {
  const { f, begin, end, context, arg } = kernel;
  const [dOut, x, weight, mean, rstd] = [arg("dOut"), arg("x"), arg("weight"), arg("mean"), arg("rstd")];
  const [length, rowBytes, dx] = [arg("length"), arg("rowBytes"), arg("dx")];
  const g = kernel.scratch();
  const xhat = define(f, add(g, rowBytes));
  const products = define(f, add(xhat, rowBytes));
  const [vector, means, rstds, gMean, productMean] = f.locals("v128", 5) as [Local, Local, Local, Local, Local];
  const start = f.local("i32");
  const setMean = (to: Local, address: Local): void => {
    f.get(address).get(length).call(context.indexOf(rowSum)).get(length).op("f32.convert_i32_s", "f32.div");
    f.op("f32x4.splat").set(to);
  };
  forRange(f, { from: begin, to: end }, (n) => {
    assign(f, start, words(mul(n, length)));
    push(f, add(mean, words(n)))
      .mem("v128.load32_splat")
      .set(means);
    push(f, add(rstd, words(n)))
      .mem("v128.load32_splat")
      .set(rstds);
    forVectors(f, length, (offset) => {
      push(f, add(x, start, offset)).mem("v128.load");
      f.get(means).op("f32x4.sub").get(rstds).op("f32x4.mul").set(vector);
      storeVector(f, vector, add(xhat, offset));
      push(f, add(products, offset)).get(vector);
      push(f, add(dOut, start, offset)).mem("v128.load");
      pushVector(f, weight, offset);
      f.op("f32x4.mul").tee(vector).op("f32x4.mul").mem("v128.store");
      storeVector(f, vector, add(g, offset));
    });
    setMean(gMean, g);
    setMean(productMean, products);
    increase(f, start, dx);
    mapRow(f, { to: start, count: length }, (offset) => {
      pushVector(f, g, offset);
      f.get(gMean).op("f32x4.sub");
      pushVector(f, xhat, offset);
      f.get(productMean).op("f32x4.mul", "f32x4.sub").get(rstds).op("f32x4.mul");
    });
  });
});

function forward(
  host: KernelHost,
  inputs: { x: TensorView; weight: TensorView; bias: TensorView; eps: number },
  outputs: LayerNormOutputs,
): void {
  const [numItems = 0, length = 0] = inputs.x.shape;
  if (numItems === 0) return;
  const rowBytes = scratchRowBytes(length);
  const args = {
    x: host.addressOf(inputs.x),
    weight: host.addressOf(inputs.weight),
    bias: host.addressOf(inputs.bias),
    eps: inputs.eps,
    length,
    rowBytes,
    out: host.addressOf(outputs.out),
    mean: host.addressOf(outputs.mean),
    rstd: host.addressOf(outputs.rstd),
  };
  const grain = Math.ceil(rowGrain / Math.max(1, length));
  host.launch(layerNorm, args, { numItems, grain, scratchBytes: 2 * rowBytes });
}

function backwardInput(host: KernelHost, inputs: LayerNormBackwardInputs, dx: TensorView): void {
  const [numItems = 0, length = 0] = inputs.x.shape;
  if (numItems * length === 0) return;
  const rowBytes = scratchRowBytes(length);
  const args = {
    dOut: host.addressOf(inputs.dOut),
    x: host.addressOf(inputs.x),
    weight: host.addressOf(inputs.weight),
    mean: host.addressOf(inputs.mean),
    rstd: host.addressOf(inputs.rstd),
    length,
    rowBytes,
    dx: host.addressOf(dx),
  };
  host.launch(layerNormInput, args, { numItems, grain: Math.ceil(rowGrain / length), scratchBytes: 3 * rowBytes });
}

export const layerNormRoom: KernelRoom<Pick<KernelTable, "layerNorm" | "layerNormBackward">> = {
  kernels: [layerNorm, layerNormInput, layerNormWeights],
  rows: (host) => ({
    layerNorm: (x, weight, bias, eps, outputs) => forward(host, { x, weight, bias, eps }, outputs),
    layerNormBackward(inputs, dx, dWeight, dBias): void {
      backwardInput(host, inputs, dx);
      launchLayerNormWeights(host, inputs, { dWeight, dBias });
    },
  }),
};
