export * from "./clock.js";
export * from "./collective/all-gather.js";
export * from "./collective/all-reduce-integers.js";
export * from "./collective/broadcast.js";
export type { CollectiveOptions } from "./collective/collective-options.js";
export * from "./collective/tree-reduce-scatter.js";
export * from "./errors.js";
export type {
  ExchangeResult,
  ExchangeTimings,
  GradientExchangeOptions,
  NodeSquares,
  ProvidedNode,
} from "./exchange/exchange-options.js";
export * from "./exchange/exchange-plan.js";
export * from "./exchange/gradient-exchange.js";
export * from "./exchange/hash-hex.js";
export * from "./exchange/vector-ops.js";
export * from "./group/frame-router.js";
export * from "./group/process-group.js";
export * from "./transport/multi-transport.js";
export * from "./transport/relay-transport.js";
export * from "./transport/transport.js";
export * from "./tree/merge-plan.js";
export * from "./tree/tree-shape.js";
