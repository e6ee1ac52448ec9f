import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readGolden } from "../golden.testkit.js";
import { groupKFold, kFold, stratifiedKFold, trainTestSplit, trainValidationTestSplit } from "../index.js";

interface FoldCase {
  readonly size: number;
  readonly labels: string[];
  readonly groups: number[];
  readonly numSplits: number;
  readonly tests: number[][];
}
const golden = readGolden<Record<"kFold" | "stratifiedKFold" | "groupKFold", FoldCase[]>>("splits");
const testsOf = (splits: readonly { readonly test: readonly number[] }[]) => splits.map(({ test }) => test);
const sorted = (places: readonly number[]) => [...places].sort((a, b) => a - b);
const upTo = (size: number) => Array.from({ length: size }, (_, i) => i);

describe("folds are scikit-learn's", () => {
  test.each(golden.kFold)("kFold of $size in $numSplits", ({ size, numSplits, tests }) => {
    expect(testsOf(kFold(size, { numSplits }))).toEqual(tests);
  });
  test.each(golden.stratifiedKFold)("stratifiedKFold in $numSplits", ({ labels, numSplits, tests }) => {
    expect(testsOf(stratifiedKFold(labels, { numSplits }))).toEqual(tests);
  });
  test.each(golden.groupKFold)("groupKFold in $numSplits", ({ groups, numSplits, tests }) => {
    expect(testsOf(groupKFold(groups, { numSplits }))).toEqual(tests);
  });
});

describe("every fold", () => {
  const labelled = fc.record({
    labels: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 40 }),
    numSplits: fc.integer({ min: 2, max: 4 }),
    seed: fc.nat(),
  });
  test("tests each sample once and trains on the others, shuffled or not", () => {
    fc.assert(
      fc.property(labelled, ({ labels, numSplits, seed }) => {
        const full = [...labels, ...[0, 1, 2].flatMap((label) => Array<number>(numSplits).fill(label))];
        for (const shuffle of [false, true]) {
          for (const splits of [
            kFold(full.length, { numSplits, shuffle, seed }),
            stratifiedKFold(full, { numSplits, shuffle, seed }),
            groupKFold([...full, 3, 4], { numSplits }),
          ]) {
            const all = upTo(splits[0]!.train.length + splits[0]!.test.length);
            expect(sorted(testsOf(splits).flat())).toEqual(all);
            for (const { train, test } of splits) expect(sorted([...train, ...test])).toEqual(all);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  test("is another one with another seed, and each class is shuffled apart", () => {
    const labels = upTo(40).map((i) => i % 2);
    for (const make of [
      (seed: number) => testsOf(kFold(40, { numSplits: 4, shuffle: true, seed })),
      (seed: number) => testsOf(stratifiedKFold(labels, { numSplits: 4, shuffle: true, seed })),
    ]) {
      expect(make(1)).toEqual(make(1));
      expect(make(1)).not.toEqual(make(2));
      expect(make(1)).not.toEqual(testsOf(kFold(40, { numSplits: 4 })));
    }
    const held = stratifiedKFold(labels, { numSplits: 4, shuffle: true, seed: 1 })[0]!.test;
    const ofClass = (label: number) => held.filter((place) => labels[place] === label).map((place) => place >> 1);
    expect(ofClass(0)).not.toEqual(ofClass(1));
  });

  test("of stratifiedKFold has each class within one sample of its share", () => {
    fc.assert(
      fc.property(labelled, ({ labels, numSplits, seed }) => {
        const full = [...labels, ...[0, 1, 2].flatMap((label) => Array<number>(numSplits).fill(label))];
        for (const { test } of stratifiedKFold(full, { numSplits, shuffle: true, seed })) {
          for (const label of [0, 1, 2]) {
            const share = full.filter((other) => other === label).length / numSplits;
            expect(Math.abs(test.filter((place) => full[place] === label).length - share)).toBeLessThan(1);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe("trainTestSplit", () => {
  test("rounds the test share up and the train share down, as scikit-learn does", () => {
    const sizes = (options: object) => {
      const { train, test } = trainTestSplit(10, options);
      return [train.length, test.length];
    };
    expect(sizes({})).toEqual([7, 3]);
    expect(sizes({ testSize: 0.25, trainSize: 0.55 })).toEqual([5, 3]);
    expect(sizes({ trainSize: 0.55 })).toEqual([5, 5]);
    expect(sizes({ testSize: 4 })).toEqual([6, 4]);
  });

  test("holds every sample once, differently for every seed, and commits to an order", () => {
    const { train, test } = trainTestSplit(20, { seed: 3 });
    expect(sorted([...train, ...test])).toEqual(upTo(20));
    expect(trainTestSplit(20, { seed: 3 })).toEqual({ train, test });
    expect(trainTestSplit(20, { seed: 4 }).test).not.toEqual(test);
    expect(test).toMatchInlineSnapshot(`
      [
        3,
        6,
        1,
        15,
        12,
      ]
    `);
  });

  test("keeps the shares of classes", () => {
    const labels = upTo(100).map((i) => (i % 10 < 7 ? "a" : i % 10 < 9 ? "b" : "c"));
    const { train, test } = trainTestSplit(100, { testSize: 0.2, stratify: labels, seed: 5 });
    const count = (places: readonly number[], label: string) =>
      places.filter((place) => labels[place] === label).length;
    expect(["a", "b", "c"].map((label) => [count(train, label), count(test, label)])).toEqual([
      [56, 14],
      [16, 4],
      [8, 2],
    ]);
  });

  test("keeps groups together", () => {
    const groups = upTo(30).map((i) => `g${i % 6}`);
    const { train, test } = trainTestSplit(30, { testSize: 2, groups, seed: 1 });
    const groupsOf = (places: readonly number[]) => new Set(places.map((place) => groups[place]));
    expect([groupsOf(train).size, groupsOf(test).size]).toEqual([4, 2]);
    expect(sorted([...train, ...test])).toEqual(upTo(30));
  });

  test("in three parts takes shares of all samples", () => {
    const labels = upTo(50).map((i) => i % 2);
    const { train, validation, test } = trainValidationTestSplit(50, {
      validationSize: 0.2,
      testSize: 0.12,
      stratify: labels,
    });
    expect([train.length, validation.length, test.length]).toEqual([34, 10, 6]);
    expect(sorted([...train, ...validation, ...test])).toEqual(upTo(50));
    expect(validation.filter((place) => labels[place] === 0).length).toBe(5);
  });

  test.each([
    {
      make: () => trainTestSplit(10, { testSize: 6, trainSize: 5 }),
      message:
        "trainTestSplit: 5 train and 6 test samples of 10; each part must have at least one, together at most 10. Change testSize or trainSize.",
    },
    {
      make: () => trainTestSplit(1),
      message:
        "trainTestSplit: 0 train and 1 test samples of 1; each part must have at least one, together at most 1. Change testSize or trainSize.",
    },
    {
      make: () => trainTestSplit(4, { testSize: 2, groups: ["a", "a", "b", "b"] }),
      message:
        "trainTestSplit: 0 train and 2 test groups of 2; each part must have at least one, together at most 2. Change testSize or trainSize.",
    },
    {
      make: () => trainTestSplit(10, { testSize: 1.5 }),
      message: "trainTestSplit: testSize is 1.5; it must be a share in (0, 1) or a whole number of at least 1.",
    },
    {
      make: () => trainTestSplit(10, { testSize: 4, stratify: [..."aaaaaaaaab"] }),
      message:
        'trainTestSplit: class "b" has 1 of 10 samples and none of them in the test part; every class must have at least one in each part. Enlarge the part, or leave the class out.',
    },
    {
      make: () => trainValidationTestSplit(12, { testSize: 2, validationSize: 2, stratify: [..."aaaaaaaaaabb"] }),
      message:
        'trainValidationTestSplit: class "b" has 2 of 12 samples and none of them in the test part; every class must have at least one in each part. Enlarge the part, or leave the class out.',
    },
    {
      make: () => trainValidationTestSplit(12, { testSize: 6, validationSize: 1, stratify: [..."aaaaaabbbbbb"] }),
      message:
        'trainValidationTestSplit: class "b" has 3 of 6 samples and none of them in the validation part; every class must have at least one in each part. Enlarge the part, or leave the class out.',
    },
    {
      make: () => trainValidationTestSplit(4, { testSize: 2, validationSize: 2 }),
      message:
        "trainValidationTestSplit: 0 train and 2 validation samples of 2; each part must have at least one, together at most 2. Change testSize or validationSize.",
    },
    {
      make: () => trainTestSplit(3, { stratify: ["a"] }),
      message: "trainTestSplit: stratify has 1 entries for 3 samples; there must be one for each.",
    },
    {
      make: () => stratifiedKFold(["a", "a", "b"], { numSplits: 2 }),
      message:
        'stratifiedKFold: class "b" has 1 samples and numSplits is 2; every class must have at least one sample a fold. Lower numSplits, or leave the class out.',
    },
    {
      make: () => kFold(3, { numSplits: 4 }),
      message: "kFold: 3 samples and numSplits 4; there must be at least one sample a fold.",
    },
    {
      make: () => groupKFold([1, 1, 1], { numSplits: 2 }),
      message: "groupKFold: 1 groups and numSplits 2; there must be at least one group a fold.",
    },
  ])("says: $message", ({ make, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", code: "E_SPLIT", message }));
  });

  test("refuses a label that is missing, with its place", () => {
    expect(() => stratifiedKFold(["a", null as unknown as string])).toThrow(
      expect.objectContaining({ code: "E_LABEL", fields: { place: 1, label: null } }),
    );
  });
});
