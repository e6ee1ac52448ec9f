import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readFixture } from "../golden.testkit.js";
import { decodeParquet } from "../index.js";

const read = (name: string, options: object = {}) =>
  decodeParquet(readFixture(`${name}.parquet`), { file: `${name}.parquet`, ...options });
const nan = Number.NaN;

describe("decodeParquet", () => {
  test.each(["plain", "uncompressed"])("reads what PyArrow wrote: %s", (name) => {
    const table = read(name);
    expect(table.numRows).toBe(7);
    expect(table.columns).toEqual({
      id: new Float64Array([0, 1, 2, 3, 4, 5, 6]),
      score: new Float64Array([0.5, nan, -1.25, 3, nan, 1e300, -0]),
      small: new Float64Array([0.1, 0.2, nan, 0.4, 0.5, 0.6, 0.7].map(Math.fround)),
      city: ["Bern", "Oslo", null, "Bern", "Zürich", "", "Oslo"],
      isHere: new Float64Array([1, 0, nan, 1, 1, 0, 1]),
      price: new Float64Array([0.25, 1.25, 2.25, 3.25, nan, 5.25, 6.25]),
      seen: new Float64Array([...Array(6).fill(Date.UTC(2026, 0, 2, 3, 4, 5, 678)), nan]),
      born: new Float64Array([...Array(6).fill(Date.UTC(1970, 0, 11)), nan]),
    });
  });

  test("reads some columns, and leaves those alone that it could not read", () => {
    expect(read("nested", { columns: ["id"] }).columns).toEqual({ id: new Float64Array([1, 2]) });
    expect(Object.keys(read("plain", { columns: ["city", "id"] }).columns)).toEqual(["city", "id"]);
  });

  const bytes = readFixture("plain.parquet");
  test.each([
    {
      make: () => decodeParquet(bytes.subarray(0, bytes.length - 5), { file: "cut.parquet" }),
      message:
        "decodeParquet: cut.parquet, footer: has no PAR1 at its end; it must describe every column. Is the file cut off?",
    },
    {
      make: () => decodeParquet(new TextEncoder().encode("id,score\n1,2\n"), { file: "a.csv" }),
      message: "decodeParquet: a.csv, byte 0: has no PAR1; it must be a Parquet file.",
    },
    {
      make: () => read("nested"),
      message:
        "decodeParquet: nested.parquet, column tags: is nested (a list, map or struct); columns must hold one number or text a row. Leave it out with { columns }.",
    },
    {
      make: () => read("gzip"),
      message:
        "decodeParquet: gzip.parquet, column id: cannot be read (compressed by GZIP); its pages must be whole, and plain or compressed by Snappy.",
    },
    {
      make: () => read("large"),
      message:
        "decodeParquet: large.parquet, row 2, column id: is 1152921504606846977; it must be a whole number in -9007199254740991..9007199254740991. Leave the column out with { columns }, or write it as text.",
    },
    {
      make: () => read("plain", { columns: ["ID"] }),
      message:
        "decodeParquet: plain.parquet, column ID: is not there; it must be one of id, score, small, city, isHere, price, seen, born.",
    },
  ])("says: $message", ({ make, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "FormatError", code: "E_FILE_FORMAT", message }));
  });

  test("answers E_FILE_FORMAT for every place at which a file is cut", () => {
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(() => decodeParquet(bytes.subarray(0, cut))).toThrow(expect.objectContaining({ code: "E_FILE_FORMAT" }));
    }
  });

  test.each([
    { name: "uncompressed", place: "a run of a level that is longer than its page", changes: [[133, 249]] },
    { name: "uncompressed", place: "the length of a page's levels", changes: [[422, 191]] },
    { name: "plain", place: "the path of a column", changes: [[3778, 51]] },
  ] as const)("refuses $name with another byte at $place", ({ name, changes }) => {
    const changed = readFixture(`${name}.parquet`);
    for (const [at, byte] of changes) changed[at] = byte;
    expect(() => decodeParquet(changed)).toThrow(expect.objectContaining({ code: "E_FILE_FORMAT" }));
  });

  test("never answers anything but a table or E_FILE_FORMAT for a file with other bytes", () => {
    const whole = readFixture("uncompressed.parquet");
    const byte = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(byte, { minLength: 1, maxLength: 3 }), (changes) => {
        const changed = whole.slice();
        for (const [at, value] of changes) changed[at] = value;
        try {
          expect(decodeParquet(changed).numRows).toBe(7);
        } catch (error) {
          expect(error).toMatchObject({ code: "E_FILE_FORMAT" });
        }
      }),
      { numRuns: 500, seed: 5 },
    );
  });
});
