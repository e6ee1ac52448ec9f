import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readGolden } from "../golden.testkit.js";
import {
  createMatrix,
  createTable,
  datasetColumn,
  type Label,
  LabelEncoder,
  loadTransformer,
  type Matrix,
  MinMaxScaler,
  matrixRows,
  OneHotEncoder,
  OrdinalEncoder,
  RobustScaler,
  StandardScaler,
  type TransformerKind,
} from "../index.js";

type Rows = (number | null)[][];
interface ScalerCase extends Record<string, unknown> {
  readonly transformed: Rows;
  readonly inverse: Rows;
}
interface EncoderCase {
  readonly transformed: number[][];
  readonly inverse: (Label | null)[][];
  readonly names: string[];
  readonly categories: Label[][];
}
const golden = readGolden<{
  train: Rows;
  test: Rows;
  rows: Label[][];
  LabelEncoder: { classes: string[]; transformed: number[] };
}>("preprocessing");
const caseOf = <Case>(name: string) => (golden as unknown as Record<string, Case>)[name]!;
const numbers = (rows: Rows) => createMatrix(rows.map((row) => row.map((value) => value ?? Number.NaN)));
const train = numbers(golden.train);
const test6 = numbers(golden.test);

/** Equal within 1e-12 of the larger of 1 and the value: sums of scikit-learn run in another order. */
function expectNear(actual: ArrayLike<number>, expected: ArrayLike<number>) {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const tolerance = 1e-12 * Math.max(1, Math.abs(expected[i]!));
    if (!(Number.isNaN(expected[i]!) && Number.isNaN(actual[i]!))) {
      expect(Math.abs(actual[i]! - expected[i]!), `number ${i}`).toBeLessThanOrEqual(tolerance);
    }
  }
}

interface Scaler {
  fit(input: Matrix): Scaler;
  transform(input: Matrix): Matrix;
  inverseTransform(input: Matrix): Matrix;
}

describe("scalers are scikit-learn's", () => {
  const scalers: [string, Scaler, string[]][] = [
    ["StandardScaler", new StandardScaler(), ["mean", "variance", "scale"]],
    ["StandardScaler/noMean", new StandardScaler({ withMean: false }), ["scale"]],
    ["MinMaxScaler", new MinMaxScaler(), ["dataMin", "dataMax", "scale", "min"]],
    ["MinMaxScaler/clipped", new MinMaxScaler({ featureRange: [-2, 3], clip: true }), ["scale", "min"]],
    ["RobustScaler", new RobustScaler(), ["center", "scale"]],
    ["RobustScaler/wide", new RobustScaler({ quantileRange: [5, 90] }), ["center", "scale"]],
  ];
  test.each(scalers)("%s", (name, scaler, attributes) => {
    const expected = caseOf<ScalerCase>(name);
    scaler.fit(train);
    const out = scaler.transform(test6);
    expectNear(out.values, numbers(expected.transformed).values);
    expectNear(scaler.inverseTransform(out).values, numbers(expected.inverse).values);
    for (const attribute of attributes) {
      expectNear((scaler as unknown as Record<string, number[]>)[attribute]!, expected[attribute] as number[]);
    }
    const back = loadTransformer(name.split("/")[0] as "StandardScaler", JSON.stringify(scaler));
    expect(back.transform(test6)).toEqual(out);
  });

  test("inverseTransform undoes transform", () => {
    const rows = fc.array(
      fc.tuple(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.double({ min: -1, max: 1, noNaN: true })),
      { minLength: 1, maxLength: 20 },
    );
    fc.assert(
      fc.property(rows, (drawn) => {
        for (const scaler of [new StandardScaler(), new MinMaxScaler(), new RobustScaler()]) {
          const back = scaler.inverseTransform(scaler.fitTransform(drawn));
          for (const [i, value] of back.values.entries()) expect(value).toBeCloseTo(createMatrix(drawn).values[i]!, 6);
        }
      }),
    );
  });

  test.each([
    {
      make: () => new StandardScaler().transform([[1]]),
      code: "E_NOT_FITTED",
      message: "StandardScaler: it is not fitted; fit(...) must come first, on the training part.",
    },
    {
      make: () => new StandardScaler().fit([[1, 2]]).transform([[1]]),
      code: "E_COLUMNS",
      message: "StandardScaler.transform: there are 1 columns; there must be 2, as in fit.",
    },
    {
      make: () => new RobustScaler().fit([[1, Number.NaN]]),
      code: "E_FIT",
      message: "RobustScaler.fit: column 1 has no value in 1 rows; it must have at least one. Leave it out.",
    },
    {
      make: () => new MinMaxScaler().fit([[1], [Number.POSITIVE_INFINITY]]),
      code: "E_FIT",
      message: "MinMaxScaler.fit: row 1, column 0 is Infinity; it must be finite or missing (NaN).",
    },
    {
      make: () => new MinMaxScaler({ featureRange: [1, 1] }),
      code: "E_VALUE",
      message: "MinMaxScaler: featureRange is [1, 1]; the first must be below the second.",
    },
    {
      make: () => new StandardScaler().fit([]),
      code: "E_FIT",
      message: "StandardScaler.fit: there are 0 rows of 0 columns; there must be at least one of each.",
    },
    {
      make: () => createMatrix([[1], [1, 2]]),
      code: "E_COLUMNS",
      message: "createMatrix: row 1 has 2 numbers, but row 0 has 1; they must be equal.",
    },
    {
      make: () => new StandardScaler().fit(createTable({ a: ["x"] })),
      code: "E_COLUMN",
      message:
        "createMatrix: column a holds text; it must hold numbers. Encode it first (OrdinalEncoder, OneHotEncoder).",
    },
    {
      make: () => datasetColumn([[1], [1e39]]),
      code: "E_VALUE",
      message:
        "datasetColumn: row 1, column 0 is 1e+39; f32 must hold it. Scale it first (StandardScaler, RobustScaler).",
    },
    {
      make: () =>
        datasetColumn([
          [1, 2],
          [3, Number.NaN],
        ]),
      code: "E_MISSING",
      message:
        "datasetColumn: row 1, column 1 is missing (NaN); it must be a number. Drop or impute it first (dropMissing, SimpleImputer).",
    },
  ])("says: $message", ({ make, code, message }) => {
    expect(make).toThrow(expect.objectContaining({ code, message }));
  });
});

describe("encoders are scikit-learn's", () => {
  const { rows } = golden;

  test.each(["none", "first", "ifBinary"] as const)("OneHotEncoder, drop %s", (drop) => {
    const expected = caseOf<EncoderCase>(`OneHotEncoder/${drop}`);
    const encoder = new OneHotEncoder({ drop }).fit(rows);
    const out = encoder.transform(rows.slice(0, 8));
    expect(matrixRows(out)).toEqual(expected.transformed);
    expect(encoder.inverseTransform(out)).toEqual(expected.inverse);
    expect(encoder.featureNames(["a", "b", "c"])).toEqual(expected.names);
    expect(loadTransformer("OneHotEncoder", JSON.stringify(encoder)).transform(rows.slice(0, 8))).toEqual(out);
  });

  const unknown: Label[][] = [
    ["pear", 9, "yes"],
    ["plum", 1, "no"],
  ];
  test("OneHotEncoder ignores unknown labels where it is told to", () => {
    const expected = caseOf<EncoderCase>("OneHotEncoder/ignore");
    const encoder = new OneHotEncoder({ handleUnknown: "ignore" }).fit(rows);
    expect(matrixRows(encoder.transform(unknown))).toEqual(expected.transformed);
    expect(encoder.inverseTransform(encoder.transform(unknown))).toEqual(expected.inverse);
  });

  test("OrdinalEncoder", () => {
    const expected = caseOf<EncoderCase>("OrdinalEncoder");
    const encoder = new OrdinalEncoder({ unknownValue: -1 }).fit(rows);
    const out = encoder.transform([...rows.slice(0, 8), ...unknown]);
    expect(encoder.categories).toEqual(expected.categories);
    expect(matrixRows(out)).toEqual(expected.transformed);
    expect(encoder.inverseTransform(out)).toEqual(expected.inverse);
    expect(loadTransformer("OrdinalEncoder", JSON.stringify(encoder)).transform(unknown)).toEqual(
      encoder.transform(unknown),
    );
  });

  test("OrdinalEncoder takes a given order, and NaN for what is unknown", () => {
    const encoder = new OrdinalEncoder({ categories: [["low", "high"]], unknownValue: Number.NaN }).fit([
      ["high"],
      ["low"],
    ]);
    const back = loadTransformer("OrdinalEncoder", JSON.stringify(encoder));
    expect(Array.from(back.transform([["high"], ["mid"], ["low"]]).values)).toEqual([1, Number.NaN, 0]);
    expect(back.inverseTransform([[1], [Number.NaN]])).toEqual([["high"], [null]]);
  });

  test("LabelEncoder sorts by code point, as Python does", () => {
    expect(new LabelEncoder().fit(["ab", "b", "a", "abc"]).classes).toEqual(["a", "ab", "abc", "b"]);
    const labels = rows.map(([label]) => label!);
    const encoder = new LabelEncoder().fit(labels);
    expect(encoder.classes).toEqual(golden.LabelEncoder.classes);
    expect(Array.from(encoder.transform(labels))).toEqual(golden.LabelEncoder.transformed);
    expect(
      loadTransformer("LabelEncoder", JSON.stringify(encoder)).inverseTransform(encoder.transform(labels)),
    ).toEqual(labels);
  });

  test.each([
    {
      make: () =>
        new OneHotEncoder().fit([["a", 1]]).transform([
          ["a", 1],
          ["a", 2],
        ]),
      code: "E_CATEGORY",
      message:
        'OneHotEncoder.transform: row 1, column 1 is 2, which fit did not see; it must be one of 1. Give { handleUnknown: "ignore" } to make such rows zeros.',
    },
    {
      make: () => new OrdinalEncoder().fit([["a"], ["b"]]).transform([["c"]]),
      code: "E_CATEGORY",
      message:
        'OrdinalEncoder.transform: row 0, column 0 is "c", which fit did not see; it must be one of a, b. Give { unknownValue } to mark such labels.',
    },
    {
      make: () => new OrdinalEncoder({ unknownValue: 1 }).fit([["a"], ["b"]]),
      code: "E_VALUE",
      message: "OrdinalEncoder: unknownValue is 1; it must not be in 0..1, the numbers of labels.",
    },
    {
      make: () => new LabelEncoder().fit(["a"]).transform(["a", "b"]),
      code: "E_CATEGORY",
      message: 'LabelEncoder.transform: label 1 is "b", which fit did not see; it must be one of a.',
    },
    {
      make: () => new LabelEncoder().fit(["a"]).inverseTransform([1]),
      code: "E_CATEGORY",
      message: "LabelEncoder.inverseTransform: number 0 is 1; it must be a whole number in 0..0.",
    },
    {
      make: () => new OneHotEncoder().fit(createTable({ a: ["x", null] })),
      code: "E_MISSING",
      message:
        "OneHotEncoder.fit: row 1, column 0 is missing; it must be a number or text. Drop or impute it first (dropMissing, SimpleImputer).",
    },
    {
      make: () => new OneHotEncoder().fit([["a"], [1]]),
      code: "E_LABEL",
      message:
        "OneHotEncoder.fit, column 0: label 1 is 1; it must be a number or text that is not missing, of the kind of the first label.",
    },
    {
      make: () => loadTransformer("LabelEncoder", JSON.stringify(new OneHotEncoder())),
      code: "E_FORMAT",
      message: 'loadTransformer: kind is "OneHotEncoder"; it must be "LabelEncoder".',
    },
    {
      make: () => loadTransformer("LabelEncoder" satisfies TransformerKind, "{"),
      code: "E_FORMAT",
      message: "loadTransformer: the text is no JSON; it must be what JSON.stringify(LabelEncoder) wrote.",
    },
  ])("says: $message", ({ make, code, message }) => {
    expect(make).toThrow(expect.objectContaining({ code, message }));
  });
});
