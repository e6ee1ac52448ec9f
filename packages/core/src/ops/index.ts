export { gelu, relu, sigmoid, silu } from "./activations.js";
export { abs, add, div, maximum, minimum, mul, neg, square, sub } from "./arithmetic.js";
export { causalAttention, packedCausalAttention } from "./causal-attention.js";
export { type BatchNormOutputs, batchNorm, groupNorm, type NormOptions } from "./channel-norm.js";
export { cast, clip, eq, ge, gt, le, lt, ne, where } from "./compare.js";
export { concat, split, stack } from "./concat.js";
export {
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  type SpatialSize,
} from "./conv.js";
export { contiguous, copy } from "./copy.js";
export { crossEntropyRows, type RowLosses } from "./cross-entropy.js";
export { dropout } from "./dropout.js";
export type { Operand } from "./elementwise.js";
export { embedding } from "./embedding.js";
export { expand, type ReduceOptions, sum } from "./expand-sum.js";
export { gather, indexSelect, scatterAdd } from "./gather.js";
export { layerNorm } from "./layer-norm.js";
export { linear } from "./linear.js";
export { cos, erf, exp, floor, log, pow, sin, sqrt, tanh } from "./math.js";
export { matmul } from "./matmul.js";
export { permute, transpose } from "./permute.js";
export {
  type AveragePoolOptions,
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  avgPool1d,
  avgPool2d,
  maxPool1d,
  maxPool2d,
  type PoolOptions,
} from "./pool.js";
export { argMax, argMin, max, mean, min, type VarianceOptions, variance } from "./reduce.js";
export { flatten, reshape, squeeze, unsqueeze } from "./reshape.js";
export { rmsNorm } from "./rms-norm.js";
export { narrow, type SliceRange, select, slice } from "./slice.js";
export { logSoftmax, softmax } from "./softmax.js";
export { type UpsampleOptions, upsample } from "./upsample.js";
