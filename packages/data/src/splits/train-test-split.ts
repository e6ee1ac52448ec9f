/** @file Which samples train and which are held out: places of samples, ready for takeRows, subsetDataset or an array. */
import { keyedPermutation } from "@lockstep/core";
import { encodeLabels, type Labels } from "./labels.js";
import { assertOneEach, assertSize, splitError } from "./split-error.js";

export interface TrainTestOptions {
  /** A share in (0, 1), rounded up, or a count. Default: what trainSize leaves, else 0.25. */
  readonly testSize?: number;
  /** A share in (0, 1), rounded down, or a count. Default: what testSize leaves. */
  readonly trainSize?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Default true. Otherwise the first samples train and the last ones test. */
  readonly shuffle?: boolean;
  /** Labels whose shares are kept in both parts. */
  readonly stratify?: Labels;
  /** Samples of one group stay together; sizes then count groups. */
  readonly groups?: Labels;
}

export interface TrainTestSplit {
  readonly train: readonly number[];
  readonly test: readonly number[];
}

/**
 * Splits `size` samples in two, shuffled by a permutation that depends on the seed alone.
 *
 * @throws {ValueError} E_SPLIT when the sizes do not add up or leave a part empty; when labels are not one for each sample; when a class
 *   has no sample in one of the parts (the class is named); for stratify together with groups or without shuffling. E_LABEL, E_SEED.
 * @source sklearn.model_selection.train_test_split and GroupShuffleSplit. Deviations: places instead of copies; places of a stratified
 *   class come by largest remainder, ties to the class that sorts first; a class may not be absent from a part.
 * @example
 * trainTestSplit(5, { testSize: 2, shuffle: false }); // => { train: [0, 1, 2], test: [3, 4] }
 */
export function trainTestSplit(size: number, options: TrainTestOptions = {}): TrainTestSplit {
  const names = { where: "trainTestSplit", train: "train", test: "test", sizes: "testSize or trainSize" };
  return splitInTwo(size, options, names);
}

/** How messages call the function, its two parts and the options of their sizes. */
interface SplitNames {
  readonly where: string;
  readonly train: string;
  readonly test: string;
  readonly sizes: string;
}

function splitInTwo(size: number, options: TrainTestOptions, names: SplitNames): TrainTestSplit {
  const { where } = names;
  const { seed = 0, shuffle = true, stratify, groups } = options;
  assertSize(where, size);
  if (stratify !== undefined && (groups !== undefined || !shuffle)) {
    const other = groups === undefined ? "shuffle is false" : "groups are given";
    throw splitError(where, `stratify is given and ${other}`, "only one of the two can hold. Leave one out.", {});
  }
  if (groups !== undefined) return splitGroups(size, groups, options, names);
  const counts = partSizes(size, options, names);
  if (!shuffle) {
    const all = Array.from({ length: counts.train + counts.test }, (_, i) => i);
    return { train: all.slice(0, counts.train), test: all.slice(counts.train) };
  }
  const order = shuffledPlaces(size, seed, 0);
  if (stratify === undefined) {
    return { test: order.slice(0, counts.test), train: order.slice(counts.test, counts.test + counts.train) };
  }
  assertOneEach(where, "stratify", stratify.length, size);
  return splitClasses(order, stratify, counts, names);
}

export interface TrainValidationTestOptions {
  /** A share of all samples in (0, 1), rounded up, or a count. Default 0.1. */
  readonly validationSize?: number;
  /** As validationSize. */
  readonly testSize?: number;
  readonly seed?: number;
  readonly shuffle?: boolean;
  readonly stratify?: Labels;
  readonly groups?: Labels;
}

export interface TrainValidationTestSplit extends TrainTestSplit {
  readonly validation: readonly number[];
}

/**
 * Splits `size` samples in three: first the test samples are set apart, then the validation samples. Sizes are shares of all.
 *
 * @throws {ValueError} As trainTestSplit.
 * @source none: ours, two trainTestSplit in a row.
 * @example
 * trainValidationTestSplit(10, { testSize: 2, validationSize: 1, shuffle: false }).validation; // => [7]
 */
export function trainValidationTestSplit(
  size: number,
  options: TrainValidationTestOptions = {},
): TrainValidationTestSplit {
  const where = "trainValidationTestSplit";
  assertSize(where, size);
  const { validationSize = 0.1, testSize = 0.1, stratify, groups, ...rest } = options;
  const numUnits = groups === undefined ? size : encodeLabels(where, groups).classes.length;
  const pick = (labels: Labels | undefined, places: readonly number[]) =>
    labels === undefined ? undefined : places.map((place) => labels[place]!);
  const given = (labels: { stratify?: Labels | undefined; groups?: Labels | undefined }) =>
    Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== undefined));
  const validationCount = countOf(where, "validationSize", validationSize, numUnits, Math.ceil);
  const sizes = "testSize or validationSize";
  const outer = splitInTwo(
    size,
    { ...rest, testSize, ...given({ stratify, groups }) },
    { where, train: "train and validation", test: "test", sizes },
  );
  const labels = given({ stratify: pick(stratify, outer.train), groups: pick(groups, outer.train) });
  const inner = splitInTwo(
    outer.train.length,
    { ...rest, testSize: validationCount, ...labels },
    { where, train: "train", test: "validation", sizes },
  );
  const placesOf = (places: readonly number[]) => places.map((place) => outer.train[place]!);
  return { train: placesOf(inner.train), validation: placesOf(inner.test), test: outer.test };
}

/** Places 0..size-1 in the order of the seed's permutation. */
export function shuffledPlaces(size: number, seed: number, stream: number): number[] {
  const permutation = keyedPermutation(size, { seed, stream });
  return Array.from({ length: size }, (_, i) => permutation.at(i));
}

interface PartSizes {
  readonly train: number;
  readonly test: number;
}

function partSizes(size: number, { testSize, trainSize, groups }: TrainTestOptions, names: SplitNames): PartSizes {
  const { where } = names;
  const wantedTest = testSize ?? (trainSize === undefined ? 0.25 : undefined);
  const test = wantedTest === undefined ? undefined : countOf(where, "testSize", wantedTest, size, Math.ceil);
  const wantedTrain = trainSize === undefined ? undefined : countOf(where, "trainSize", trainSize, size, Math.floor);
  const train = wantedTrain ?? size - test!;
  const counts = { train, test: test ?? size - train };
  if (counts.train < 1 || counts.test < 1 || counts.train + counts.test > size) {
    throw splitError(
      where,
      `${counts.train} ${names.train} and ${counts.test} ${names.test} ${groups === undefined ? "samples" : "groups"} of ${size}`,
      `each part must have at least one, together at most ${size}. Change ${names.sizes}.`,
      { ...counts, size },
    );
  }
  return counts;
}

function countOf(where: string, name: string, value: number, size: number, round: (x: number) => number): number {
  if (value > 0 && value < 1) return round(value * size);
  if (Number.isInteger(value) && value >= 1) return value;
  throw splitError(where, `${name} is ${value}`, "it must be a share in (0, 1) or a whole number of at least 1.", {
    [name]: value,
  });
}

function splitGroups(size: number, groups: Labels, options: TrainTestOptions, names: SplitNames): TrainTestSplit {
  const { where } = names;
  assertOneEach(where, "groups", groups.length, size);
  const { classes, codes } = encodeLabels(where, groups);
  const { seed = 0, shuffle = true } = options;
  const counts = partSizes(classes.length, options, names);
  const order = shuffle ? shuffledPlaces(classes.length, seed, 0) : classes.map((_, code) => classes.length - 1 - code);
  const part = new Map(
    order.map((code, i) => [code, i < counts.test ? "test" : i < counts.test + counts.train ? "train" : ""]),
  );
  const placesIn = (name: string) => Array.from(codes.keys()).filter((place) => part.get(codes[place]!) === name);
  return { train: placesIn("train"), test: placesIn("test") };
}

function splitClasses(order: readonly number[], labels: Labels, counts: PartSizes, names: SplitNames): TrainTestSplit {
  const { where } = names;
  const { classes, codes } = encodeLabels(where, labels);
  const members = classes.map(() => [] as number[]);
  for (const place of order) members[codes[place]!]!.push(place);
  const sizes = members.map(({ length }) => length);
  const testCounts = shares(sizes, counts.test);
  const trainCounts = shares(
    sizes.map((n, code) => n - testCounts[code]!),
    counts.train,
  );
  for (const [code, label] of classes.entries()) {
    for (const [part, partCounts] of Object.entries({ train: trainCounts, test: testCounts })) {
      if (partCounts[code]! > 0) continue;
      const name = names[part as "train" | "test"];
      throw splitError(
        where,
        `class ${JSON.stringify(label)} has ${sizes[code]} of ${order.length} samples and none of them in the ${name} part`,
        "every class must have at least one in each part. Enlarge the part, or leave the class out.",
        { class: label, numSamples: sizes[code], part: name },
      );
    }
  }
  const isTest = new Set(members.flatMap((places, code) => places.slice(0, testCounts[code])));
  const isTrain = new Set(
    members.flatMap((places, code) => places.slice(testCounts[code], testCounts[code]! + trainCounts[code]!)),
  );
  return { train: order.filter((place) => isTrain.has(place)), test: order.filter((place) => isTest.has(place)) };
}

/** `total` places over classes in proportion to their sizes, by largest remainder. */
function shares(sizes: readonly number[], total: number): number[] {
  const all = sizes.reduce((sum, n) => sum + n, 0);
  const counts = sizes.map((n) => Math.floor((n * total) / all));
  const remainders = sizes
    .map((n, code) => ({ code, left: (n * total) % all }))
    .sort((a, b) => b.left - a.left || a.code - b.code);
  let left = total - counts.reduce((sum, n) => sum + n, 0);
  for (const { code } of remainders) {
    if (left === 0) break;
    counts[code]! += 1;
    left -= 1;
  }
  return counts;
}
