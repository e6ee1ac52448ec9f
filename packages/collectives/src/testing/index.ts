export * from "./plain-vector-ops.js";
export * from "./reduction-case.js";
export * from "./seeded-random.js";
export * from "./sim-group.js";
export * from "./sim-link.js";
export * from "./sim-network.js";
export * from "./sim-transport.js";
export * from "./virtual-clock.js";
