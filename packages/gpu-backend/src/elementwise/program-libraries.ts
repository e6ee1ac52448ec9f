/** @file Which libraries the statements of a program call. */
import type { WgslLibrary } from "../launch/kernel.js";
import { angles } from "../math/angles.js";
import { bits } from "../math/bits.js";
import { exponential, logarithm } from "../math/exponentials.js";
import { programFunctions } from "./program-text.js";

const functions: WgslLibrary = { name: "program", requires: [bits], code: programFunctions };
/** Which calls of a program need the larger libraries; most programs need none. */
const needs = [
  { pattern: /\b(exp|exp2|expm1|tanh|sinh|cosh|erf)Of\(/, library: exponential },
  { pattern: /\b(log|log2|log10|log1p|asinh|acosh|atanh)Of\(/, library: logarithm },
  { pattern: /\b(sin|cos|tan|asin|acos|atan|atan2|hypot|fmod)Of\(/, library: angles },
];

/** The libraries that `text`, made by programText, needs. */
export function programLibraries(text: string): readonly WgslLibrary[] {
  return [...needs.filter(({ pattern }) => pattern.test(text)).map(({ library }) => library), functions];
}
