import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createTable, decodeCsv, decodeJsonLines, encodeCsv, encodeJsonLines } from "../index.js";

const file = "train.csv";
const nan = Number.NaN;

describe("decodeCsv", () => {
  test("reads quotes, inner quotes, line ends in cells, CRLF, a byte order mark and a missing last line end", () => {
    const text = '\ufeffid,"full ""name""",note\r\n1,"Ann, B.","two\r\nlines"\r\n2,,plain';
    expect(decodeCsv(text)).toEqual({
      numRows: 2,
      columns: { id: new Float64Array([1, 2]), 'full "name"': ["Ann, B.", null], note: ["two\r\nlines", "plain"] },
    });
  });

  test("finds numbers, and keeps text where one cell is none", () => {
    const { columns } = decodeCsv("a,b,c,d\n1,-.5,1e3,x1\n NA,+2.,,2\n".replace(" NA", "NA"));
    expect(columns).toEqual({
      a: new Float64Array([1, nan]),
      b: new Float64Array([-0.5, 2]),
      c: new Float64Array([1000, nan]),
      d: ["x1", "2"],
    });
  });

  test("keeps identifiers that f64 cannot hold as text", () => {
    expect(decodeCsv("id\n900719925474099267\n").columns.id).toEqual(["900719925474099267"]);
  });

  test("takes types, missing words, another delimiter and a file without header", () => {
    const options = { hasHeader: false, delimiter: ";", missing: ["?"] } as const;
    const types = { column0: "boolean", column1: "text", column2: "integer" } as const;
    expect(decodeCsv("true;7;3\n?;;-4\n", { ...options, types }).columns).toEqual({
      column0: new Float64Array([1, nan]),
      column1: ["7", ""],
      column2: new Float64Array([3, -4]),
    });
  });

  const say =
    (source: string | Uint8Array, options: object = {}) =>
    () =>
      decodeCsv(source, { file, ...options });
  test.each([
    {
      make: say('a,b\n1,2\n"x\ny",2\n3\n'),
      message: "decodeCsv: train.csv, row 3 (line 5): has 1 cell; it must have 2, one for each column (a, b).",
      fields: { row: 3, line: 5 },
    },
    {
      make: say('a,b\n1,"2\n3,4\n'),
      message:
        "decodeCsv: train.csv, record 2 (line 2), cell 2: begins with a quote that is never closed; a quoted cell must end with a quote (RFC 4180). Is the file cut off?",
      fields: { line: 2 },
    },
    {
      make: say('a\n"1"2\n'),
      message:
        'decodeCsv: train.csv, record 2 (line 2), cell 1: has "2" after its closing quote; a delimiter or the end of the record must follow (RFC 4180).',
      fields: { line: 2 },
    },
    {
      make: say('a\n1"2"\n'),
      message:
        'decodeCsv: train.csv, record 2 (line 2), cell 1: has a quote inside "1\\""; a cell with quotes must begin with one, and write each inner one twice (RFC 4180).',
      fields: { line: 2 },
    },
    {
      make: say("a\r1\r"),
      message:
        "decodeCsv: train.csv, record 1 (line 1), cell 1: has a carriage return that no line feed follows; records must end with LF or CRLF (RFC 4180). Convert the line ends.",
      fields: { line: 1 },
    },
    {
      make: say("a,a\n1,2\n"),
      message:
        'decodeCsv: train.csv, header (line 1), cell 2: is "a", like cell 1; every column must have a name of its own. Give { hasHeader: false } if the first record is data.',
      fields: { cell: 2 },
    },
    {
      make: say("a,\n1,2\n"),
      message:
        "decodeCsv: train.csv, header (line 1), cell 2: is empty; every column must have a name of its own. Give { hasHeader: false } if the first record is data.",
      fields: { cell: 2 },
    },
    {
      make: say("age\n31\n7a\n", { types: { age: "number" } }),
      message: 'decodeCsv: train.csv, row 2 (line 3), column age: is "7a"; it must be a finite number, or missing.',
      fields: { row: 2, line: 3, column: "age", cell: "7a" },
    },
    {
      make: say("n\n1.5\n", { types: { n: "integer" } }),
      message:
        'decodeCsv: train.csv, row 1 (line 2), column n: is "1.5"; it must be a whole number in -9007199254740991..9007199254740991, or missing.',
      fields: { row: 1 },
    },
    {
      make: say("a,b\n1,2\n3,4", { finalLineEnd: "required" }),
      message:
        'decodeCsv: train.csv, record 3 (line 3): ends without a line end; every record must end with one (finalLineEnd is "required"). Is the file cut off?',
      fields: { line: 3 },
    },
    {
      make: say("a,b\n1,2\n", { numRows: 2 }),
      message:
        "decodeCsv: train.csv, row 1: is the last of 1; there must be 2 (numRows). Is the file cut off, or another one?",
      fields: { row: 1, expected: 2 },
    },
    {
      make: say(""),
      message: "decodeCsv: train.csv, record 1: is not there: the file is empty; there must be at least one.",
      fields: { place: "record 1" },
    },
    {
      make: say(Uint8Array.of(0x61, 0x0a, 0xc3, 0xa9, 0xe9, 0x0a)),
      message:
        "decodeCsv: train.csv, byte 4: is 0xe9, which is no UTF-8 there; the text must be UTF-8. Convert the file.",
      fields: { byte: 4 },
    },
  ])("says: $message", ({ make, message, fields }) => {
    expect(make).toThrow(
      expect.objectContaining({
        name: "FormatError",
        code: "E_FILE_FORMAT",
        message,
        fields: expect.objectContaining({ file, ...fields }),
      }),
    );
  });

  test("shows wherever a file is cut, where the rows are counted and the last one must end", () => {
    const bytes = new TextEncoder().encode('id,name,v\n1,"Ann, ""B""",2.5\r\n2,Zoë,-3\n3,x,10\n');
    const options = { file, numRows: 3, finalLineEnd: "required" } as const;
    expect(decodeCsv(bytes, options).numRows).toBe(3);
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(() => decodeCsv(bytes.subarray(0, cut), options)).toThrow(
        expect.objectContaining({ code: "E_FILE_FORMAT", message: expect.stringMatching(/^decodeCsv: train.csv, /) }),
      );
    }
  });

  test("refuses a delimiter and a type that cannot be", () => {
    expect(() => decodeCsv("a\n", { delimiter: "||" })).toThrow(
      'decodeCsv: delimiter is "||"; it must be one character, not a quote or a line end.',
    );
    expect(() => decodeCsv("a\n", { types: { b: "text" } })).toThrow(
      "decodeCsv: types names column b; it must be one of a.",
    );
  });

  test("reads back what encodeCsv wrote, to the bit", () => {
    const cell = fc.oneof(
      fc.constant(null),
      fc.string({ unit: fc.constantFrom("a", ",", '"', "\n", "\r\n", "é", " ") }),
    );
    const number = fc.oneof(fc.constant(null), fc.double({ noNaN: true, noDefaultInfinity: true }));
    const rows = fc.array(fc.tuple(number, cell), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(rows, (drawn) => {
        // An empty text and a missing one are the same in CSV; the first row makes y a column of text.
        const y = ["text", ...drawn.map(([, value]) => value || null)];
        const table = createTable({ x: [0, ...drawn.map(([x]) => x)], "y,": y });
        expect(decodeCsv(encodeCsv(table), { types: { x: "number", "y,": "text" }, missing: [""] })).toEqual(table);
      }),
    );
  });
});

describe("decodeJsonLines", () => {
  test("reads values and writes them back", () => {
    const values = [{ x: 1, y: "ü" }, null, [2.5]];
    expect(decodeJsonLines(new TextEncoder().encode(encodeJsonLines(values)))).toEqual(values);
    expect(decodeJsonLines("1\n2")).toEqual([1, 2]);
  });

  test.each([
    {
      make: () => decodeJsonLines('{"x": 1}\n{"x": 2', { file: "a.jsonl" }),
      message:
        'decodeJsonLines: a.jsonl, line 2: is no JSON: {"x": 2; every line must be one JSON value. Is the file cut off, or one JSON document over several lines?',
    },
    {
      make: () => decodeJsonLines("1\n\n2\n", { file: "a.jsonl" }),
      message:
        "decodeJsonLines: a.jsonl, line 2: is empty; every line must be one JSON value. Is the file cut off, or one JSON document over several lines?",
    },
  ])("says: $message", ({ make, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "FormatError", code: "E_FILE_FORMAT", message }));
  });

  test("does not write what JSON cannot say", () => {
    expect(() => encodeJsonLines([1, undefined])).toThrow(
      "encodeJsonLines: values[1] is undefined; it must be a JSON value.",
    );
  });
});
