import { describe, expect, test } from "vitest";
import { createTable, decodeCsv, selectColumns, tableOfRecords, takeRows, withColumns } from "../index.js";
import { momentsOf } from "./quantile.js";

const table = createTable({ age: [31, null, 7], city: ["Bern", "Oslo", undefined], isHere: [true, false, true] });

describe("a table", () => {
  test("holds numbers with NaN and text with null where values are missing", () => {
    expect(table).toEqual({
      numRows: 3,
      columns: {
        age: new Float64Array([31, Number.NaN, 7]),
        city: ["Bern", "Oslo", null],
        isHere: new Float64Array([1, 0, 1]),
      },
    });
  });

  test("gives rows in the order asked for, and columns", () => {
    expect(takeRows(table, [2, 0, 2]).columns.city).toEqual([null, "Bern", null]);
    expect(Object.keys(selectColumns(table, ["city", "age"]).columns)).toEqual(["city", "age"]);
    expect(withColumns(table, { age: [1, 2, 3] }).columns.age).toEqual(new Float64Array([1, 2, 3]));
  });

  test("is made of records that lack some values", () => {
    expect(tableOfRecords([{ x: 1 }, { y: "a" }]).columns).toEqual({
      x: new Float64Array([1, Number.NaN]),
      y: [null, "a"],
    });
  });

  test.each([
    {
      make: () => createTable({ a: [1, 2], b: [1] }),
      code: "E_COLUMNS",
      message: "createTable: column b has 1 rows, but a has 2; they must be equal.",
    },
    {
      make: () => tableOfRecords([{ a: 1 }, { a: "x" }]),
      code: "E_COLUMNS",
      message:
        "createTable: column a, row 2: is text, but the rows above hold number; a column must hold one kind. Convert it first.",
    },
    {
      make: () => tableOfRecords([{ a: [1] }]),
      code: "E_COLUMNS",
      message: "createTable: column a, row 1: is of type object; it must be a number, a boolean, text or null.",
    },
    {
      make: () => takeRows(table, [0, 3]),
      code: "E_ROW",
      message: "takeRows: rows[1] is 3; it must be a whole number in 0..2.",
    },
    {
      make: () => selectColumns(table, ["town"]),
      code: "E_COLUMN",
      message: 'selectColumns: there is no column "town"; it must be one of age, city, isHere.',
    },
  ])("says: $message", ({ make, code, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", code, message }));
  });
});

test("the variance of equal values is 0, though their mean may be a rounding away", () => {
  expect(momentsOf([0.1, 0.1, 0.1])).toMatchObject({ count: 3, variance: 0 });
  expect(momentsOf([1, Number.NaN, 3])).toEqual({ count: 2, mean: 2, variance: 1 });
});

test("a missing column names the file that the table was read from, through every change of the table", () => {
  const cars = decodeCsv("speed,weight\n1,2\n3,4\n", { file: "cars.csv" });
  const message = 'selectColumns: there is no column "price" in cars.csv; it must be one of speed, weight.';
  expect(() => selectColumns(cars, ["price"])).toThrowError(message);
  const changed = takeRows(withColumns(selectColumns(cars, ["speed"]), { weight: [5, 6] }), [1]);
  expect(() => selectColumns(changed, ["price"])).toThrowError(message);
  expect(() => decodeCsv("a\n1\n", { file: "b.csv", types: { c: "number" } })).toThrowError(
    /b\.csv: types names column c/,
  );
});
