/** @file Which libraries the text of a program calls: most programs need none of the larger ones. */
import type { WgslLibrary } from "../launch/kernel.js";
import { angles } from "../math/angles.js";
import { bits } from "../math/bits.js";
import { exponential, logarithm } from "../math/exponentials.js";
import { programFunctions } from "./program-text.js";

const functions = { name: "program", requires: [bits], code: programFunctions };
const needs = [
  { pattern: /\b(exp|exp2|expm1|tanh|sinh|cosh|erf)Of\(/, library: exponential },
  { pattern: /\b(log|log2|log10|log1p|asinh|acosh|atanh)Of\(/, library: logarithm },
  { pattern: /\b(sin|cos|tan|asin|acos|atan|atan2|hypot|fmod)Of\(/, library: angles },
];

export function librariesOfProgram(body: string): readonly WgslLibrary[] {
  return [...needs.filter(({ pattern }) => pattern.test(body)).map(({ library }) => library), functions];
}
