export { currentGenerator, manualSeed, seedScope } from "./current-generator.js";
export { Generator, type GeneratorOptions, type GeneratorState } from "./generator.js";
export { type KeyedPermutation, keyedPermutation, type PermutationKey } from "./keyed-permutation.js";
export { type PhiloxCounter, philox4x32 } from "./philox.js";
export { seedWords } from "./seed.js";
