export { groupKFold, type KFoldOptions, kFold, stratifiedKFold } from "./k-fold.js";
export type { Label, Labels } from "./labels.js";
export {
  type TrainTestOptions,
  type TrainTestSplit,
  type TrainValidationTestOptions,
  type TrainValidationTestSplit,
  trainTestSplit,
  trainValidationTestSplit,
} from "./train-test-split.js";
