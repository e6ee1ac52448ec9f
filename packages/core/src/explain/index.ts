export type { AttributionOptions, ExplainedFunction } from "./explained-outputs.js";
export { gradientTimesInput } from "./gradient-times-input.js";
export {
  type IntegratedGradients,
  type IntegratedGradientsOptions,
  integratedGradients,
} from "./integrated-gradients.js";
