/** A worker's engine for simulations. */
export { type SimClock, SimEngine, type SimEngineOptions, type SimPoison } from "./sim-engine.js";
export { plainSimLoop, type SimLoopResult, type SimModel, simMeanGradient, simSha256 } from "./sim-model.js";
