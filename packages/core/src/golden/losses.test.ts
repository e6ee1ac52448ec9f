import type { LossSum } from "../losses/index.js";
import * as losses from "../losses/index.js";
import { stack } from "../ops/index.js";
import type { Tensor } from "../tensor/tensor.js";
import { describeGoldenCases, type GoldenCases } from "./golden-cases.testkit.js";

const classWeights = [0.5, 2, 0, 1.25, 3];
const posWeight = [0.5, 1, 4];
const both = (loss: LossSum): Tensor => stack([loss.sum, losses.meanLoss(loss)]);

const lengthsOf = (lengths: Tensor) => ({ inputLengths: lengths.select(0, 0), targetLengths: lengths.select(0, 1) });

/** Case name of tools/golden/losses.py -> the same in core. */
const cases: GoldenCases = {
  mse: (x, y) => both(losses.mseLoss(x, y)),
  l1: (x, y) => both(losses.l1Loss(x, y)),
  huber: (x, y) => both(losses.huberLoss(x, y, { delta: 0.7 })),
  smoothL1: (x, y) => both(losses.smoothL1Loss(x, y, { beta: 0.4 })),
  smoothL1Sharp: (x, y) => both(losses.smoothL1Loss(x, y, { beta: 0 })),
  crossEntropyWeights: (x, t) => both(losses.crossEntropy(x, t, { classWeights })),
  crossEntropySmoothed: (x, t) => both(losses.crossEntropy(x, t, { labelSmoothing: 0.1 })),
  crossEntropyAll: (x, t) => both(losses.crossEntropy(x, t, { classWeights, labelSmoothing: 0.3, ignoreIndex: 1 })),
  crossEntropySequence: (x, t) => both(losses.crossEntropy(x, t, { classWeights })),
  crossEntropyExtreme: (x, t) => both(losses.crossEntropy(x, t, { classWeights })),
  crossEntropySmoothedExtreme: (x, t) => both(losses.crossEntropy(x, t, { labelSmoothing: 0.2 })),
  crossEntropyNothing: (x, t) => stack([losses.crossEntropy(x, t).sum]),
  crossEntropySoft: (x, t) => both(losses.crossEntropy(x, t)),
  crossEntropySoftAll: (x, t) => both(losses.crossEntropy(x, t, { classWeights, labelSmoothing: 0.1 })),
  nll: (x, t) => both(losses.nllLoss(x.logSoftmax(), t)),
  nllWeights: (x, t) => both(losses.nllLoss(x.logSoftmax(), t, { classWeights })),
  klDivergence: (x, t) => both(losses.klDivergence(x, t)),
  klDivergenceZero: (x, t) => both(losses.klDivergence(x, t.detach())),
  klDivergenceLog: (x, t) => both(losses.klDivergence(x, t, { logTarget: true })),
  multiMargin: (x, t) => both(losses.multiMarginLoss(x, t)),
  multiMarginAll: (x, t) => both(losses.multiMarginLoss(x, t, { p: 2, margin: 0.6, classWeights })),
  focal: (x, t) => both(losses.focalLoss(x, t, { gamma: 1.5 })),
  bceLogits: (x, t) => both(losses.binaryCrossEntropyWithLogits(x, t)),
  bceLogitsWeighted: (x, t) => both(losses.binaryCrossEntropyWithLogits(x, t, { posWeight })),
  bceLogitsExtreme: (x, t) => both(losses.binaryCrossEntropyWithLogits(x, t.detach(), { posWeight })),
  bce: (x, t) => both(losses.binaryCrossEntropy(x, t.detach())),
  bceSure: (x, t) => both(losses.binaryCrossEntropy(x, t.detach())),
  sigmoidFocal: (x, t) => both(losses.sigmoidFocalLoss(x, t)),
  hinge: (x, y) => both(losses.hingeLoss(x, y)),
  hingeSquared: (x, y) => both(losses.hingeLoss(x, y, { margin: 0.5, isSquared: true })),
  softMargin: (x, y) => both(losses.softMarginLoss(x, y)),
  hingeEmbedding: (x, y) => both(losses.hingeEmbeddingLoss(x, y, { margin: 0.8 })),
  marginRanking: (x, y, labels) => both(losses.marginRankingLoss(x, y, labels, { margin: 0.3 })),
  cosineEmbedding: (x, y, labels) => both(losses.cosineEmbeddingLoss(x, y, labels, { margin: -0.2 })),
  tripletMargin: (a, p, n) => both(losses.tripletMarginLoss(a, p, n)),
  tripletMarginSwap: (a, p, n) => both(losses.tripletMarginLoss(a, p, n, { margin: 2, p: 1, swap: true })),
  tripletMarginCubic: (a, p, n) => both(losses.tripletMarginLoss(a, p, n, { margin: 2, p: 3 })),
  contrastive: (x, y, labels) => both(losses.contrastiveLoss(x, y, labels, { margin: 4 })),
  infoNce: (q, k) => both(losses.infoNce(q, k)),
  ntXent: (x, y) => both(losses.ntXent(x, y)),
  dice: (p, t) => both(losses.diceLoss(p, t.detach())),
  poisson: (x, t) => both(losses.poissonNllLoss(x, t.detach())),
  poissonFull: (x, t) => both(losses.poissonNllLoss(x, t.detach(), { full: true })),
  poissonRate: (x, t) => both(losses.poissonNllLoss(x, t.detach(), { logInput: false })),
  gaussian: (x, t, v) => both(losses.gaussianNllLoss(x, t, v)),
  linearCrossEntropy: (x, weight, t) => both(losses.linearCrossEntropy(x, weight, t)),
  ctc: (x, t, lengths) => both(losses.ctcLoss(x.logSoftmax(), t, lengthsOf(lengths))),
  ctcPerLabel: (x, t, lengths) => both(losses.ctcLoss(x.logSoftmax(), t, { ...lengthsOf(lengths), isPerLabel: true })),
  ctcOtherBlank: (x, t, lengths) => both(losses.ctcLoss(x.logSoftmax(), t, { ...lengthsOf(lengths), blank: 6 })),
  ctcExtreme: (x, t, lengths) => both(losses.ctcLoss(x.mul(20).logSoftmax(), t, lengthsOf(lengths))),
  ctcZeroInfinity: (x, t, lengths) =>
    both(losses.ctcLoss(x.logSoftmax(), t, { ...lengthsOf(lengths), zeroInfinity: true })),
  gaussianFull: (x, t, v) => both(losses.gaussianNllLoss(x, t, v, { full: true })),
};

describeGoldenCases("losses", cases);
