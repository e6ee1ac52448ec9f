export type { Op, ReferenceArray, Sample, SampleInput } from "../ops/contract.js";
export { opRegistry } from "../ops/registry.js";
export { CheckError, type ExpectCloseOptions, expectClose, expectSameBits } from "./expect-close.js";
export { type NumericalGradientOptions, numericalGradient } from "./numerical-gradient.js";
export { type OpSuite, type OpSuiteOptions, opHashes, opSuite, type SuiteCase } from "./op-suite.js";
export type { StoredFloats } from "./sample-run.js";
export { type Tolerance, type ToleranceOptions, toleranceOf } from "./tolerance.js";
