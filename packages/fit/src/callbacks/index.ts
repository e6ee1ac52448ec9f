export type { EpochLog, FitCallback, FitControl, FitPlan, StepLog } from "./callback.js";
export { EarlyStopping, type EarlyStoppingOptions, type MonitorOptions } from "./early-stopping.js";
export {
  BestWeights,
  type BestWeightsOptions,
  CsvLogger,
  JsonlLogger,
  LearningRateLogger,
  ProgressLogger,
  type ProgressOptions,
} from "./loggers.js";
