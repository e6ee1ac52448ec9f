import type { DType, DTypeArray } from "../tensor/dtype.js";

/** A tensor's numbers outside of any backend, row-major. */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: DTypeArray;
}
