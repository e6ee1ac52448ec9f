export {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  grayscaleImage,
  normalizeImage,
} from "./color.js";
export { type FloatImage, floatImage, stackImages } from "./float-image.js";
export { type AffineArguments, affineImage, cropImage, flipImage, type ImageSize, resizeImage } from "./geometry.js";
export type { Image } from "./image.js";
