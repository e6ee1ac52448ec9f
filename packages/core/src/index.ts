export { type BackwardOptions, backward } from "./autograd/backward.js";
export { type CustomVjpContext, customGrad } from "./autograd/custom-grad.js";
export { enableGrad, isGradEnabled, noGrad } from "./autograd/grad-mode.js";
export { drawsSoFar, type MicroBatchKey, microBatchScope, nextPhiloxKey } from "./autograd/micro-batch-scope.js";
export { nextGenerator } from "./autograd/next-generator.js";
export type {
  Backend,
  DeviceBuffer,
  ElementwiseRun,
  LateResults,
  MemoryFigures,
  NumericClass,
  StorageFidelity,
  TensorView,
} from "./backend/backend.js";
export { currentBackend, setDefaultBackend, withBackend } from "./backend/current-backend.js";
export type { KernelTable, PhiloxKey } from "./backend/kernel-table.js";
export type { StepParts, StepPlace, StepRunner, StepRunnerFigures, StepRunnerOptions } from "./backend/step-runner.js";
export * from "./cpu/index.js";
export * from "./errors.js";
export * as explain from "./explain/index.js";
export * as expr from "./expr/expr.js";
export { type ElementwiseProgram, elementwiseProgram } from "./expr/program.js";
export * from "./hash/index.js";
export type { LossSum } from "./losses/index.js";
export * as losses from "./losses/index.js";
export * as metrics from "./metrics/index.js";
export * as nn from "./nn/index.js";
export { numericsVersion } from "./numerics-version.js";
export * from "./ops/index.js";
export { Tensor, type TensorMethods } from "./ops/tensor-methods.js";
export * as optim from "./optim/index.js";
export { clipGradNorm } from "./optim/index.js";
export * from "./rng/index.js";
export * as scalarMath from "./scalar-math/index.js";
export * as schedules from "./schedules/index.js";
export * from "./serialization/index.js";
export * from "./tensor/create.js";
export { bytesPerElement, type DType, type DTypeArray } from "./tensor/dtype.js";
export type { FormatOptions } from "./tensor/format.js";
export type { NestedArray, NestedInput } from "./tensor/nested-array.js";
export { linspace, logspace, type SpaceOptions } from "./tensor/ranges.js";
export { keep, scope, untracked } from "./tensor/scope.js";
export type { Shape } from "./tensor/shape.js";
export { setLeakHook } from "./tensor/tensor.js";
export * from "./train/index.js";
