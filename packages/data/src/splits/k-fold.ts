/** @file Cross-validation: each sample is held out once. */
import { encodeLabels, type Labels } from "./labels.js";
import { assertSize, splitError } from "./split-error.js";
import { shuffledPlaces, type TrainTestSplit } from "./train-test-split.js";

export interface KFoldOptions {
  /** Default 5. */
  readonly numSplits?: number;
  /** Default false. */
  readonly shuffle?: boolean;
  /** Default 0; used where shuffle is true. */
  readonly seed?: number;
}

/**
 * `numSplits` folds of neighbouring (or shuffled) samples, each once the test part. Sizes differ by at most one; the first are larger.
 *
 * @throws {ValueError} E_SPLIT for numSplits below 2, or fewer samples than folds.
 * @source sklearn.model_selection.KFold
 * @example
 * kFold(5, { numSplits: 2 })[0]; // => { train: [3, 4], test: [0, 1, 2] }
 */
export function kFold(size: number, options: KFoldOptions = {}): TrainTestSplit[] {
  const { numSplits = 5, shuffle = false, seed = 0 } = options;
  assertSize("kFold", size);
  assertNumSplits("kFold", numSplits);
  if (size < numSplits) {
    throw splitError(
      "kFold",
      `${size} samples and numSplits ${numSplits}`,
      "there must be at least one sample a fold.",
      {
        size,
        numSplits,
      },
    );
  }
  const order = shuffle ? shuffledPlaces(size, seed, 0) : Array.from({ length: size }, (_, i) => i);
  const foldOf = new Int32Array(size);
  let begin = 0;
  for (let fold = 0; fold < numSplits; fold++) {
    const length = Math.floor(size / numSplits) + (fold < size % numSplits ? 1 : 0);
    for (const place of order.slice(begin, begin + length)) foldOf[place] = fold;
    begin += length;
  }
  return splitsOf(foldOf, numSplits);
}

/**
 * Folds in which every class has its share of samples.
 *
 * @param labels class of each sample
 * @throws {ValueError} E_SPLIT when a class has fewer samples than there are folds (it is named), or for numSplits below 2. E_LABEL.
 * @source sklearn.model_selection.StratifiedKFold. Deviation: a class with fewer samples than folds is an error where sklearn warns.
 * @example
 * stratifiedKFold(["a", "a", "b", "b"], { numSplits: 2 })[0].test; // => [0, 2]
 */
export function stratifiedKFold(labels: Labels, options: KFoldOptions = {}): TrainTestSplit[] {
  const where = "stratifiedKFold";
  const { numSplits = 5, shuffle = false, seed = 0 } = options;
  assertSize(where, labels.length);
  assertNumSplits(where, numSplits);
  const { classes, codes } = encodeLabels(where, labels);
  const members = classes.map(() => [] as number[]);
  for (const [place, code] of codes.entries()) members[code]!.push(place);
  for (const [code, { length }] of members.entries()) {
    if (length >= numSplits) continue;
    throw splitError(
      where,
      `class ${JSON.stringify(classes[code])} has ${length} samples and numSplits is ${numSplits}`,
      "every class must have at least one sample a fold. Lower numSplits, or leave the class out.",
      { class: classes[code], numSamples: length, numSplits },
    );
  }
  // Classes in the order in which they appear take turns, so that the folds' sizes differ by at most one.
  const appearance = members.map((places, code) => ({ code, first: places[0]! })).sort((a, b) => a.first - b.first);
  const foldOf = new Int32Array(labels.length);
  let turn = 0;
  for (const { code } of appearance) {
    const counts = new Array<number>(numSplits).fill(0);
    for (let i = 0; i < members[code]!.length; i++) counts[turn++ % numSplits]! += 1;
    const folds = counts.flatMap((count, fold) => new Array<number>(count).fill(fold));
    const order = shuffle ? shuffledPlaces(folds.length, seed, code) : folds.map((_, i) => i);
    for (const [i, place] of members[code]!.entries()) foldOf[place] = folds[order[i]!]!;
  }
  return splitsOf(foldOf, numSplits);
}

/**
 * Folds that keep the samples of a group together: the largest group goes first, each to the fold that has the fewest samples.
 *
 * @param groups group of each sample
 * @throws {ValueError} E_SPLIT when there are fewer groups than folds, or for numSplits below 2. E_LABEL.
 * @source sklearn.model_selection.GroupKFold. Of groups of one size the one that sorts last goes first.
 * @example
 * groupKFold(["a", "a", "b"], { numSplits: 2 })[0].test; // => [0, 1]
 */
export function groupKFold(groups: Labels, options: Pick<KFoldOptions, "numSplits"> = {}): TrainTestSplit[] {
  const where = "groupKFold";
  const { numSplits = 5 } = options;
  assertSize(where, groups.length);
  assertNumSplits(where, numSplits);
  const { classes, codes } = encodeLabels(where, groups);
  if (classes.length < numSplits) {
    throw splitError(
      where,
      `${classes.length} groups and numSplits ${numSplits}`,
      "there must be at least one group a fold.",
      {
        numGroups: classes.length,
        numSplits,
      },
    );
  }
  const sizes = new Array<number>(classes.length).fill(0);
  for (const code of codes) sizes[code]! += 1;
  const bySize = sizes.map((size, code) => ({ size, code })).sort((a, b) => b.size - a.size || b.code - a.code);
  const foldSizes = new Array<number>(numSplits).fill(0);
  const foldOfGroup = new Int32Array(classes.length);
  for (const { size, code } of bySize) {
    const lightest = foldSizes.indexOf(Math.min(...foldSizes));
    foldSizes[lightest]! += size;
    foldOfGroup[code] = lightest;
  }
  return splitsOf(
    codes.map((code) => foldOfGroup[code]!),
    numSplits,
  );
}

function assertNumSplits(where: string, numSplits: number): void {
  if (Number.isInteger(numSplits) && numSplits >= 2) return;
  throw splitError(where, `numSplits is ${numSplits}`, "it must be a whole number of at least 2.", { numSplits });
}

/** Both parts in ascending order of places. */
function splitsOf(foldOf: Int32Array, numSplits: number): TrainTestSplit[] {
  const places = Array.from(foldOf.keys());
  return Array.from({ length: numSplits }, (_, fold) => ({
    train: places.filter((place) => foldOf[place] !== fold),
    test: places.filter((place) => foldOf[place] === fold),
  }));
}
