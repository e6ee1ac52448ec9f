export { constant } from "./constant.js";
export { cosine } from "./cosine.js";
export { type ExponentialOptions, exponential } from "./exponential.js";
export { linear } from "./linear.js";
export type { Ramp, Schedule } from "./schedule.js";
export { type WarmupOptions, warmup } from "./warmup.js";
