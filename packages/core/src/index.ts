export * from "./errors.js";
export * from "./rng/index.js";
export * as scalarMath from "./scalar-math/index.js";
export * as schedules from "./schedules/index.js";
