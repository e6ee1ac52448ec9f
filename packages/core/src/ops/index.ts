export {
  gelu,
  hardSigmoid,
  hardSwish,
  logSigmoid,
  mish,
  relu,
  selu,
  sigmoid,
  silu,
  softsign,
} from "./activations.js";
export {
  type AverageOptions,
  all,
  any,
  average,
  countNonzero,
  logSumExp,
  nanMean,
  nanSum,
  norm,
  prod,
  std,
  type VectorNormOptions,
} from "./aggregate.js";
export { abs, add, div, maximum, minimum, mul, neg, square, sub } from "./arithmetic.js";
export { addAt, at, setAt } from "./at.js";
export { type AttentionOptions, scaledDotProductAttention } from "./attention.js";
export { type AddcOptions, addcdiv, addcmul, lerp, reciprocal, rsqrt } from "./blend.js";
export { causalAttention, packedCausalAttention, type QueryKeyValue } from "./causal-attention.js";
export { type BatchNormOutputs, batchNorm, groupNorm, type NormOptions } from "./channel-norm.js";
export { allClose, arrayEqual, type ClosenessOptions, isClose } from "./closeness.js";
export { cast, clip, eq, ge, gt, le, lt, ne, where } from "./compare.js";
export { chunk, concat, split, stack } from "./concat.js";
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
export { type CosineSimilarityOptions, cosineSimilarity } from "./cosine-similarity.js";
export {
  type BincountOptions,
  bincount,
  type Histogram,
  type HistogramOptions,
  histogram,
  type OneHotOptions,
  oneHot,
} from "./counting.js";
export { type CovarianceOptions, corrCoef, cov } from "./covariance.js";
export { crossEntropyRows, type RowLosses } from "./cross-entropy.js";
export { type DiagOptions, type DiagonalOptions, diag, diagonal, trace, tril, triu } from "./diagonal.js";
export { type DiffOptions, diff } from "./diff.js";
export { dropout } from "./dropout.js";
export { einsum, tensorDot } from "./einsum.js";
export type { Operand } from "./elementwise.js";
export { embedding } from "./embedding.js";
export { expand, type ReduceOptions, sum } from "./expand-sum.js";
export { acosh, asinh, atanh, cosh, exp2, expm1, log1p, log2, log10, sinh } from "./exponentials.js";
export { flip } from "./flip.js";
export { gather, indexSelect, scatterAdd } from "./gather.js";
export { type MeshgridOptions, meshgrid, outer } from "./grid.js";
export type { Index } from "./index-plan.js";
export { layerNorm } from "./layer-norm.js";
export { linear } from "./linear.js";
export { type LinearActivation, linearActivation } from "./linear-activation.js";
export { type LinearCrossEntropyOptions, linearCrossEntropyRows } from "./linear-cross-entropy.js";
export { isFinite, isInf, isNaN, logicalAnd, logicalNot, logicalOr, logicalXor } from "./logic.js";
export { maskedFill, maskedSelect, nonzero } from "./masks.js";
export { cos, erf, exp, floor, log, pow, sin, sqrt, tanh } from "./math.js";
export { matmul } from "./matmul.js";
export { expandDims, moveAxis, swapAxes } from "./move-axes.js";
export { type PadMode, type PadOptions, type PadWidth, pad } from "./pad.js";
export { celu, elu, glu, hardTanh, leakyRelu, prelu, relu6, softplus, swiGlu } from "./parametric-activations.js";
export { permute, transpose } from "./permute.js";
export { pixelShuffle, pixelUnshuffle } from "./pixel-shuffle.js";
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
export { type Interpolation, median, percentile, type QuantileOptions, quantile } from "./quantile.js";
export {
  type ChoiceOptions,
  choice,
  type IntegerRange,
  type IntegerSource,
  randInt,
  randPerm,
  shuffle,
} from "./random.js";
export { argMax, argMin, max, mean, min, type VarianceOptions, variance } from "./reduce.js";
export { flatten, reshape, squeeze, unsqueeze } from "./reshape.js";
export { rmsNorm } from "./rms-norm.js";
export { roll } from "./roll.js";
export { type RotaryAngles, type RotaryConvention, rotary } from "./rotary.js";
export { ceil, floorDivide, fmod, type NanToNum, nanToNum, remainder, round, sign, trunc } from "./rounding.js";
export { cumProd, cumSum } from "./scan.js";
export { type IndexPutOptions, indexPut, scatter } from "./scatter.js";
export { type SearchSortedOptions, searchSorted } from "./search-sorted.js";
export { narrow, select, slice } from "./slice.js";
export type { SliceRange } from "./slice-range.js";
export { logSoftmax, softmax } from "./softmax.js";
export { argSort, type Sorted, type SortOptions, sort, type TopKOptions, topK } from "./sort.js";
export { take, takeAlong } from "./take.js";
export { repeatInterleave, tile } from "./tile.js";
export { acos, asin, atan, atan2, hypot, tan } from "./trigonometry.js";
export { type Unique, unique } from "./unique.js";
export { type UpsampleOptions, upsample } from "./upsample.js";
