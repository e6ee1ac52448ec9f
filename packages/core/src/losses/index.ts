export { type HuberOptions, huberLoss, l1Loss, type SmoothL1Options, smoothL1Loss } from "./absolute-error.js";
export {
  type BinaryCrossEntropyOptions,
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
} from "./binary-cross-entropy.js";
export { type CrossEntropyOptions, crossEntropy } from "./cross-entropy.js";
export { type CtcOptions, ctcLoss } from "./ctc-loss.js";
export { type DiceOptions, diceLoss } from "./dice-loss.js";
export {
  type ContrastiveOptions,
  type CosineEmbeddingOptions,
  contrastiveLoss,
  cosineEmbeddingLoss,
  type TripletMarginOptions,
  tripletMarginLoss,
} from "./embedding-losses.js";
export { type FocalOptions, focalLoss, type SigmoidFocalOptions, sigmoidFocalLoss } from "./focal-loss.js";
export {
  type HingeOptions,
  hingeEmbeddingLoss,
  hingeLoss,
  type MarginOptions,
  marginRankingLoss,
  softMarginLoss,
} from "./hinge-loss.js";
export { type InfoNceOptions, infoNce, type NtXentOptions, ntXent } from "./info-nce.js";
export { type KlDivergenceOptions, klDivergence } from "./kl-divergence.js";
export { type GaussianNllOptions, gaussianNllLoss, type PoissonNllOptions, poissonNllLoss } from "./likelihoods.js";
export { type LinearCrossEntropyOptions, linearCrossEntropy } from "./linear-cross-entropy.js";
export type { ClassWeights } from "./loss-checks.js";
export { type LossSum, meanLoss } from "./loss-sum.js";
export { cutmix, type MixedBatch, type MixOptions, mixedLoss, mixup } from "./mixup.js";
export { mseLoss } from "./mse-loss.js";
export { type MultiMarginOptions, multiMarginLoss } from "./multi-margin-loss.js";
export { type NllOptions, nllLoss } from "./nll-loss.js";
