export * from "./finite-check.js";
export * from "./flat-layout.js";
export * from "./node-stack.js";
export * from "./reduce-gradient.js";
export * from "./state-hash.js";
export * from "./tree-accumulator.js";
export * from "./tree-order.js";
export * from "./vector-pool.js";
