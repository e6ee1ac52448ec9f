export { type FilterCounts, Pipeline, type SampleSource } from "./pipeline.js";
export { pipelineOf } from "./pipeline-of.js";
export { stackSamples } from "./stack-samples.js";
