export { constant } from "./constant.js";
export { cosine } from "./cosine.js";
export { type CosineRestartsOptions, cosineRestarts } from "./cosine-restarts.js";
export { type ExponentialOptions, exponential } from "./exponential.js";
export { type InverseSqrtOptions, inverseSqrt } from "./inverse-sqrt.js";
export { linear } from "./linear.js";
export { type OneCycleOptions, oneCycle } from "./one-cycle.js";
export {
  decidePlateau,
  initialPlateauState,
  type PlateauDecision,
  type PlateauOptions,
  type PlateauState,
  ReduceOnPlateau,
  resolvePlateau,
} from "./plateau.js";
export { type PolynomialOptions, polynomial } from "./polynomial.js";
export type { Ramp, Schedule } from "./schedule.js";
export { chained, sequential, type WarmupStableDecayOptions, warmupStableDecay } from "./sequential.js";
export { type MultiStepOptions, multiStep, type StepDecayOptions, stepDecay } from "./step-decay.js";
export { type WarmupOptions, warmup } from "./warmup.js";
