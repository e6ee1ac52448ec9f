/** @file Every op, in one list. The generic suite runs all of them on every backend; an op that is missing here does not exist. */
import {
  geluOp,
  hardSigmoidOp,
  hardSwishOp,
  logSigmoidOp,
  mishOp,
  reluOp,
  seluOp,
  sigmoidOp,
  siluOp,
  softsignOp,
} from "./activations.js";
import { integerProdOp } from "./aggregate.js";
import { absOp, addOp, divOp, maximumOp, minimumOp, mulOp, negOp, squareOp, subOp } from "./arithmetic.js";
import { binaryCrossEntropyOp } from "./binary-cross-entropy.js";
import { addcdivOp, addcmulOp, lerpOp, reciprocalOp, rsqrtOp } from "./blend.js";
import { causalAttentionOp, packedCausalAttentionOp } from "./causal-attention.js";
import { channelNormOp } from "./channel-norm.js";
import { isCloseOp } from "./closeness.js";
import { castOp, clipOp, eqOp, geOp, gtOp, leOp, ltOp, neOp, whereOp } from "./compare.js";
import { concatOp, splitOp } from "./concat.js";
import type { Op } from "./contract.js";
import { convolutionOp, convolutionTransposedOp, convolutionWeightOp } from "./convolution.js";
import { copyOp } from "./copy.js";
import { crossEntropyOp } from "./cross-entropy.js";
import { ctcOp } from "./ctc.js";
import { dropoutOp } from "./dropout.js";
import {
  focalTermsOp,
  huberTermsOp,
  klLogTermsOp,
  klTermsOp,
  sigmoidFocalTermsOp,
  weightedBinaryCrossEntropyOp,
} from "./elementwise-losses.js";
import { embeddingOp } from "./embedding.js";
import { expandOp, sumOp } from "./expand-sum.js";
import {
  acoshOp,
  asinhOp,
  atanhOp,
  coshOp,
  exp2Op,
  expm1Op,
  log1pOp,
  log2Op,
  log10Op,
  sinhOp,
} from "./exponentials.js";
import { flipOp } from "./flip.js";
import { gatherOp, scatterAddOp } from "./gather.js";
import { layerNormOp } from "./layer-norm.js";
import { linearOp } from "./linear.js";
import { linearActivationOp } from "./linear-activation.js";
import { linearCrossEntropyOp } from "./linear-cross-entropy.js";
import { isFiniteOp, isInfOp, isNaNOp, logicalAndOp, logicalNotOp, logicalOrOp, logicalXorOp } from "./logic.js";
import { cosOp, erfOp, expOp, floorOp, logOp, powOp, sinOp, sqrtOp, tanhOp } from "./math.js";
import { matmulOp } from "./matmul.js";
import { celuOp, eluOp, hardTanhOp, leakyReluOp, softplusOp } from "./parametric-activations.js";
import { permuteOp } from "./permute.js";
import { maxPoolOp } from "./pool.js";
import { gruOp, lstmOp, rnnReluOp, rnnTanhOp } from "./recurrent.js";
import { argMaxOp, argMinOp, maxOp, minOp } from "./reduce.js";
import { resampleOp } from "./resample.js";
import { reshapeOp } from "./reshape.js";
import { rmsNormOp } from "./rms-norm.js";
import { ceilOp, floorDivideOp, fmodOp, nanToNumOp, remainderOp, roundOp, signOp, truncOp } from "./rounding.js";
import { cumProdOp, cumSumOp, recurrenceOp } from "./scan.js";
import { searchSortedOp } from "./search-sorted.js";
import { setSliceOp, sliceOp, unsliceOp } from "./slice.js";
import { logSoftmaxOp, softmaxOp } from "./softmax.js";
import { sortOp } from "./sort.js";
import { addRowsOp, putRowsOp, takeRowsOp } from "./take-rows.js";
import { acosOp, asinOp, atan2Op, atanOp, hypotOp, tanOp } from "./trigonometry.js";

export const opRegistry: readonly Op[] = [
  ...[addOp, subOp, mulOp, divOp, maximumOp, minimumOp, negOp, absOp, squareOp],
  ...[sqrtOp, expOp, logOp, tanhOp, erfOp, sinOp, cosOp, floorOp, powOp],
  ...[sigmoidOp, siluOp, reluOp, geluOp, binaryCrossEntropyOp],
  ...[ltOp, leOp, gtOp, geOp, eqOp, neOp, whereOp, clipOp, castOp],
  ...[copyOp, reshapeOp, permuteOp, expandOp, sliceOp, unsliceOp, concatOp, splitOp],
  ...[sumOp, maxOp, minOp, argMaxOp, argMinOp],
  ...[matmulOp, linearOp, linearActivationOp, softmaxOp, logSoftmaxOp, layerNormOp],
  ...[crossEntropyOp, linearCrossEntropyOp],
  ...[causalAttentionOp, packedCausalAttentionOp, embeddingOp, gatherOp, scatterAddOp, dropoutOp],
  ...[convolutionOp, convolutionTransposedOp, convolutionWeightOp, maxPoolOp, resampleOp],
  ...[channelNormOp, rmsNormOp],
  ...[flipOp, setSliceOp, takeRowsOp, addRowsOp, putRowsOp, cumSumOp, cumProdOp, recurrenceOp],
  ...[sortOp, searchSortedOp],
  ...[huberTermsOp, weightedBinaryCrossEntropyOp, sigmoidFocalTermsOp, focalTermsOp, klTermsOp, klLogTermsOp, ctcOp],
  ...[mishOp, seluOp, logSigmoidOp, softsignOp, hardSigmoidOp, hardSwishOp],
  ...[leakyReluOp, eluOp, celuOp, softplusOp, hardTanhOp],
  ...[lstmOp, gruOp, rnnTanhOp, rnnReluOp],
  ...[ceilOp, fmodOp, floorDivideOp, nanToNumOp, remainderOp, roundOp, signOp, truncOp],
  ...[acoshOp, asinhOp, atanhOp, coshOp, exp2Op, expm1Op, log1pOp, log2Op, log10Op, sinhOp],
  ...[acosOp, asinOp, atanOp, atan2Op, hypotOp, tanOp],
  ...[isFiniteOp, isInfOp, isNaNOp, logicalAndOp, logicalNotOp, logicalOrOp, logicalXorOp],
  ...[addcdivOp, addcmulOp, lerpOp, reciprocalOp, rsqrtOp],
  ...[integerProdOp, isCloseOp],
];
