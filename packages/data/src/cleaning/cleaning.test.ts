import { describe, expect, test } from "vitest";
import { readGolden } from "../golden.testkit.js";
import {
  createTable,
  dropDuplicates,
  dropMissing,
  findMissing,
  loadTransformer,
  normalizeText,
  OutlierDetector,
  SimpleImputer,
  type Table,
} from "../index.js";

type Rows = (number | null)[][];
interface Bounds {
  readonly lower: number[];
  readonly upper: number[];
}
const golden = readGolden<{ train: Rows; test: Rows; counts: Rows; iqr: Bounds; zScore: Bounds }>("preprocessing");
const caseOf = <Case>(name: string) => (golden as unknown as Record<string, Case>)[name]!;
const tableOf = (rows: Rows, width = rows[0]!.length): Table =>
  createTable(Object.fromEntries(Array.from({ length: width }, (_, c) => [`x${c}`, rows.map((row) => row[c]!)])));
const nan = Number.NaN;
const table = createTable({ x: [1, null, 3, null], city: ["Bern", "Oslo", null, null] });

describe("missing values", () => {
  test("are dropped with every one named", () => {
    expect(dropMissing(table)).toEqual({
      table: createTable({ x: [1], city: ["Bern"] }),
      removedRows: [1, 2, 3],
      findings: [
        { row: 1, column: "x", value: nan, reason: "x is missing" },
        { row: 2, column: "city", value: null, reason: "city is missing" },
        { row: 3, column: "x", value: nan, reason: "x is missing" },
        { row: 3, column: "city", value: null, reason: "city is missing" },
      ],
    });
    expect(dropMissing(table, { how: "all" }).removedRows).toEqual([3]);
    expect(dropMissing(table, { columns: ["city"] }).removedRows).toEqual([2, 3]);
    expect(findMissing(table).length).toBe(4);
  });

  test.each(["mean", "median", "most_frequent", "constant"])("are filled as scikit-learn fills them: %s", (name) => {
    const strategy = name === "most_frequent" ? "mostFrequent" : (name as "mean");
    const expected = caseOf<{ fills: number[]; transformed: Rows }>(`SimpleImputer/${name}`);
    const imputer = new SimpleImputer({ strategy, ...(name === "constant" ? { fillValue: -3.5 } : {}) }).fit(
      tableOf(golden.counts),
    );
    for (const [c, fill] of expected.fills.entries()) expect(imputer.fills[`x${c}`]).toBeCloseTo(fill, 11);
    const { table: filled, findings } = imputer.transform(tableOf(golden.test));
    expect(filled.columns.x1![2]).toBeCloseTo(expected.transformed[2]![1]!, 11);
    expect(findings.map(({ row, column }) => [row, column])).toEqual([[2, "x1"]]);
    const back = loadTransformer("SimpleImputer", JSON.stringify(imputer));
    expect(back.transform(tableOf(golden.test))).toEqual({ table: filled, findings, removedRows: [] });
  });

  test("of text are filled with the most frequent text", () => {
    const imputer = new SimpleImputer({ strategy: "mostFrequent" }).fit(createTable({ c: ["b", "a", "b", "a", null] }));
    expect(imputer.transform(createTable({ c: [null, "z"] }))).toEqual({
      table: createTable({ c: ["a", "z"] }),
      removedRows: [],
      findings: [{ row: 0, column: "c", value: null, reason: 'c is missing; filled with "a" (mostFrequent)' }],
    });
  });

  test.each([
    {
      make: () => new SimpleImputer().fit(table),
      code: "E_FIT",
      message:
        'SimpleImputer: column city holds text and the strategy is "mean"; it must be "mostFrequent" or "constant" for text.',
    },
    {
      make: () => new SimpleImputer().fit(createTable({ x: [null, null] })),
      code: "E_FIT",
      message:
        'SimpleImputer: column x has no value in 2 rows; it must have at least one for "mean". Leave it out or use "constant".',
    },
    {
      make: () => new SimpleImputer().fit(createTable({ x: [1, Number.NEGATIVE_INFINITY] })),
      code: "E_FIT",
      message:
        "SimpleImputer: column x has the mean -Infinity: row 1 is -Infinity; it must be finite. Replace infinite values first.",
    },
    {
      make: () => new SimpleImputer().transform(table),
      code: "E_NOT_FITTED",
      message: "SimpleImputer: it is not fitted; fit(table) must come first.",
    },
    {
      make: () => dropMissing(table, { columns: ["town"] }),
      code: "E_COLUMN",
      message: 'dropMissing: there is no column "town"; it must be one of x, city.',
    },
  ])("say: $message", ({ make, code, message }) => {
    expect(make).toThrow(expect.objectContaining({ code, message }));
  });
});

describe("outliers", () => {
  test.each(["iqr", "zScore"] as const)("have NumPy's bounds: %s", (method) => {
    const detector = new OutlierDetector({ method, ...(method === "zScore" ? { threshold: 2 } : {}) }).fit(
      tableOf(golden.train, 4),
    );
    for (const [c, lower] of golden[method].lower.entries()) {
      expect(detector.bounds[`x${c}`]!.lower / lower).toBeCloseTo(1, 12);
      expect(detector.bounds[`x${c}`]!.upper / golden[method].upper[c]!).toBeCloseTo(1, 12);
    }
  });

  const detector = new OutlierDetector().fit(createTable({ x: [1, 2, 3, 4], city: ["a", "b", "c", "d"] }));
  const given = createTable({ x: [2, 99, null, -9], city: ["a", "b", "c", "d"] });
  test("are reported, clipped or dropped, always with a line each", () => {
    const reasons = (end: string) => [`x is 99, above 5.5 (iqr, 1.5)${end}`, `x is -9, below -0.5 (iqr, 1.5)${end}`];
    const reported = detector.apply(given, "report");
    expect(reported.table).toBe(given);
    expect(reported.findings.map(({ reason }) => reason)).toEqual(reasons(""));
    const clipped = detector.apply(given, "clip");
    expect(clipped.table.columns.x).toEqual(new Float64Array([2, 5.5, nan, -0.5]));
    expect(clipped.findings.map(({ reason }) => reason)).toEqual(reasons("; clipped"));
    const dropped = loadTransformer("OutlierDetector", JSON.stringify(detector)).apply(given, "drop");
    expect(dropped.table.columns).toEqual({ x: new Float64Array([2, nan]), city: ["a", "c"] });
    expect([dropped.removedRows, dropped.findings.map(({ reason }) => reason)]).toEqual([
      [1, 3],
      reasons("; row dropped"),
    ]);
  });

  test("are none in a column of equal values, whose mean may be a rounding away", () => {
    const equal = createTable({ x: [0.1, 0.1, 0.1] });
    for (const method of ["zScore", "iqr"] as const) {
      const { bounds } = new OutlierDetector({ method }).fit(equal);
      expect(bounds).toEqual({ x: { lower: 0.1, upper: 0.1 } });
    }
  });

  test("may be infinite; bounds may not", () => {
    const infinite = createTable({ x: [1, 2, 3, Number.POSITIVE_INFINITY] });
    expect(
      new OutlierDetector({ method: "iqr" }).fit(createTable({ x: [1, 2, 3, 4] })).apply(infinite, "drop").removedRows,
    ).toEqual([3]);
    expect(() => new OutlierDetector({ method: "zScore" }).fit(infinite)).toThrow(
      expect.objectContaining({
        code: "E_FIT",
        message:
          "OutlierDetector: column x, row 3 is Infinity, and the bounds (zScore) are NaN and NaN; they must be finite. Replace infinite values first.",
      }),
    );
  });

  test("are refused a threshold that is not positive", () => {
    expect(() => new OutlierDetector({ threshold: 0 })).toThrow(
      "OutlierDetector: threshold is 0; it must be positive.",
    );
  });
});

describe("dropDuplicates", () => {
  const given = createTable({ x: [1, 0, 1, -0, null, null], y: ["a", "b", "a", "b", null, null] });
  test("keeps the first, the last or none of equal rows, and says which they repeat", () => {
    expect(dropDuplicates(given)).toEqual({
      table: createTable({ x: [1, 0, null], y: ["a", "b", null] }),
      removedRows: [2, 3, 5],
      findings: [
        { row: 2, reason: "repeats row 0" },
        { row: 3, reason: "repeats row 1" },
        { row: 5, reason: "repeats row 4" },
      ],
    });
    expect(dropDuplicates(given, { keep: "last" }).removedRows).toEqual([0, 1, 4]);
    expect(dropDuplicates(given, { keep: "none" }).removedRows).toEqual([0, 1, 2, 3, 4, 5]);
  });
  test("looks at some columns, and takes no text for a missing one", () => {
    const other = createTable({ x: [1, 2, 3], y: ["null", null, "null"] });
    expect(dropDuplicates(other, { columns: ["y"] }).findings).toEqual([{ row: 2, reason: "repeats row 0 in y" }]);
  });
});

describe("normalizeText", () => {
  test("brings text into one form and counts what it changed", () => {
    const given = "\uff28\u200be\u0301llo\u0000   Wo\n \nrld at https://a.b/c?d=1, www.x.org. 3,141.5 a1 -2e5 ";
    expect(normalizeText(given, { case: "lower", urlPlaceholder: "<url>", numberPlaceholder: "<num>" })).toEqual({
      text: "h\u00e9llo wo\nrld at <url>, <url>. <num> a1 <num>",
      changes: { form: true, controlCharacters: 2, urls: 2, numbers: 2, whitespace: 3, case: true },
    });
  });
  test("changes nothing where nothing is asked for", () => {
    const options = { form: "none", whitespace: "keep", controlCharacters: "keep" } as const;
    const text = " \uff28\u200b  1 http://x.y ";
    expect(normalizeText(text, options)).toEqual({
      text,
      changes: { form: false, controlCharacters: 0, urls: 0, numbers: 0, whitespace: 0, case: false },
    });
  });
  test("keeps the joiners of emoji", () => {
    const family = "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}";
    expect(normalizeText(family).text).toBe(family);
  });
  test("refuses half a surrogate pair", () => {
    expect(() => normalizeText("a\ud800b")).toThrow(
      expect.objectContaining({
        code: "E_TEXT",
        message:
          "normalizeText: text has half a surrogate pair at place 1; it must be whole Unicode. Decode it from UTF-8 first.",
      }),
    );
  });
});
