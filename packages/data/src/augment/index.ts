export {
  randomGain,
  type SpecAugmentOptions,
  specAugment,
  type TimeShiftOptions,
  timeShift,
  whiteNoise,
} from "./audio.js";
export { type ColorJitterOptions, colorJitter, cutout, gaussianNoise, randomGrayscale } from "./image-color.js";
export {
  type RandomAffineOptions,
  type RandomCropOptions,
  type RandomResizedCropOptions,
  randomAffine,
  randomCrop,
  randomHorizontalFlip,
  randomResizedCrop,
  randomRotation,
  randomVerticalFlip,
} from "./image-geometry.js";
export { replaceSynonyms, tokenDropout, tokenSwap } from "./text.js";
