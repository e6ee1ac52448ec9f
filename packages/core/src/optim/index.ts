export { Adam, type AdamOptions, type AdamSettings, AdamW } from "./adam.js";
export { clipGradNorm } from "./clip-grad-norm.js";
export { type CommonSettings, Optimizer, type OptimizerCounters } from "./optimizer.js";
export type { ParameterGroup, ParametersOrGroups } from "./parameter-group.js";
export { Sgd, type SgdOptions, type SgdSettings } from "./sgd.js";
