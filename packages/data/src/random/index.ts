export {
  type Augmentation,
  chain,
  type Draws,
  microBatchDraws,
  type SampleKey,
  sampleDraws,
  sometimes,
} from "./draws.js";
