export type { Cleaned, Finding } from "./cleaned.js";
export { type DropDuplicatesOptions, dropDuplicates } from "./duplicates.js";
export { type DropMissingOptions, dropMissing, findMissing } from "./missing.js";
export { type NormalizeTextOptions, normalizeText, type TextChanges } from "./normalize-text.js";
export {
  type OutlierAction,
  type OutlierBounds,
  OutlierDetector,
  type OutlierMethod,
  type OutlierOptions,
} from "./outliers.js";
export { type ImputerStrategy, SimpleImputer, type SimpleImputerOptions } from "./simple-imputer.js";
