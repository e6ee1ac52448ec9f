export { binaryCrossEntropyWithLogits } from "./binary-cross-entropy.js";
export { type CrossEntropyOptions, crossEntropy } from "./cross-entropy.js";
export { type LossSum, meanLoss } from "./loss-sum.js";
export { mseLoss } from "./mse-loss.js";
