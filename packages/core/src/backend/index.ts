/** @file What a backend is written with and against: `@lockstep/core/backend`. */
export { linearize } from "../expr/program.js";
export { finishLanes, hashPrimes, initialFactor, initialLanes, stripeWords } from "../hash/hash128.js";
export { hostArray } from "../tensor/dtype.js";
export type * from "./backend.js";
export type * from "./kernel-table.js";
export {
  batchParams,
  foldRows,
  numMatricesOf,
  type Product,
  productOf,
  splitBatch,
} from "./matrix-product.js";
export * from "./recurrent-cell.js";
export type * from "./step-runner.js";
export {
  type CollapsedDims,
  collapseDims,
  contiguousStrides,
  isContiguous,
  numElements,
  stridedOffsets,
} from "./strided.js";
