import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTable } from "@lockstep/data";
import { afterAll, describe, expect, test } from "vitest";
import { cleanUp, runScript, temporaryFolder } from "../../tests/e2e/lockstep-process.js";
import { trainWithOneAndThree } from "../../tests/e2e/one-and-three-workers.js";
import { logGross, MovieEncoder } from "./movie-encoder.js";
import { numFeatures } from "./movie-model.js";
import { defaultOptions, movieSamples } from "./movie-samples.js";
import { cleanMovies, readMovies } from "./movies.js";
import { PiecewiseLinear } from "./piecewise-linear.js";

afterAll(cleanUp);

const here = fileURLToPath(new URL(".", import.meta.url));
const movies = readFileSync(join(here, "node_modules/vega-datasets/data/movies.json"));

const record = {
  Title: "A",
  "Worldwide Gross": 1_000_000,
  "Production Budget": 10_000,
  "Running Time min": 90,
  "MPAA Rating": "R",
  Distributor: "D",
  Source: "S",
  "Major Genre": "Drama",
  "Creative Type": "Fiction",
  "Release Date": "Jun 12 1998",
};
const bytesOf = (...changes: readonly object[]) =>
  new TextEncoder().encode(JSON.stringify(changes.map((change) => ({ ...record, ...change }))));
const read = (...changes: readonly object[]) => readMovies(bytesOf(...changes), "m.json");

describe("the file of movies", () => {
  test("becomes a table of what is known before the movie starts, and what it earned", () => {
    const { numRows, columns } = read({}, { Title: 12, "Running Time min": null, Source: null });
    expect(numRows).toBe(2);
    expect(columns).toMatchObject({ title: ["A", "12"], month: ["Jun", "Jun"], source: ["S", null] });
    expect([...(columns.runningTime as Float64Array)]).toEqual([90, Number.NaN]);
    expect([...(columns.year as Float64Array)]).toEqual([1998, 1998]);
  });

  test("that lacks a column or holds something else is an error with file, row and rule", () => {
    const refused = (fields: object, message: string) =>
      expect.objectContaining({
        code: "E_FILE_FORMAT",
        fields: expect.objectContaining({ file: "m.json", ...fields }),
        message: expect.stringContaining(message),
      });
    const { Source: _, ...withoutSource } = record;
    const lacking = new TextEncoder().encode(JSON.stringify([record, withoutSource]));
    expect(() => readMovies(lacking, "m.json")).toThrow(
      refused({ row: 2, column: "Source" }, 'm.json, row 2, Source: has no "Source"; every record must have'),
    );
    expect(() => read({}, {}, { "Production Budget": "much" })).toThrow(
      refused({ row: 3, column: "Production Budget" }, 'is "much"; it must be a finite number, or null.'),
    );
    expect(() => read({ "Release Date": "1998-06-12" })).toThrow(
      refused({ row: 1 }, 'is "1998-06-12"; it must be written like "Jun 12 1998".'),
    );
    expect(() => read({ "Major Genre": 3 })).toThrow(refused({ row: 1 }, "is 3; it must be text, or null."));
    const notANumber = new TextEncoder().encode('[{"Production Budget": NaN}]');
    expect(() => readMovies(notANumber, "m.json")).toThrow(refused({}, "m.json: is no JSON: Unexpected token"));
  });
});

describe("cleaning", () => {
  test("mends centuries, leaves out what has no gross or budget, and repetitions, and says so", () => {
    const { table, findings } = cleanMovies(
      read(
        { "Release Date": "Dec 15 2039" },
        { "Worldwide Gross": 0 },
        { "Production Budget": null, Title: "B" },
        {},
        { "Worldwide Gross": 5, Distributor: "E" },
      ),
    );
    expect([...(table.columns.year as Float64Array)]).toEqual([1939, 1998]);
    expect([...(table.columns.gross as Float64Array)]).toEqual([1_000_000, 1_000_000]);
    const reasons = Object.values(findings).flatMap((list) => list.map(({ row, reason }) => `${row}: ${reason}`));
    expect(reasons).toEqual([
      "0: year is 2039, after 2011; a century less",
      "1: gross is missing",
      "2: budget is missing",
      "2: repeats row 1 in title, year, month",
    ]);
  });

  test("of the whole file is what the README says", () => {
    const { table, findings } = cleanMovies(readMovies(movies, "movies.json"));
    expect(table.numRows).toBe(3_146);
    expect(Object.values(findings).map(({ length }) => length)).toEqual([22, 55, 0]);
  });
});

describe("encoding", () => {
  test("tells how far a number has come through each piece of the range", () => {
    const encoder = new PiecewiseLinear(Float64Array.of(30, 0, Number.NaN, 10), 2);
    expect(encoder.numPieces).toBe(2);
    expect([...encoder.transform(Float64Array.of(-1, 5, 25, 99)).values]).toEqual([0, 0, 0.5, 0, 1, 0.75, 1, 1]);
    expect(new PiecewiseLinear(Float64Array.of(4, 4, 4, 8), 3).numPieces).toBe(1);
  });

  const rows = ["Drama", "Drama", "Western", "Drama"].map((genre, i) => ({
    ...{ "Major Genre": genre, "Production Budget": 10 ** (i + 3) },
    ...{ "Running Time min": i === 3 ? null : 80 + 10 * i },
  }));
  const train = read(...rows);
  const encoder = new MovieEncoder(train, { minLabelCount: 2, numPieces: 1 });
  const encoded = (change: object) => {
    const { values } = encoder.encode(read(change));
    return Object.fromEntries(encoder.featureNames.map((name, i) => [name, values[i]]));
  };

  test("learns from the training part alone: means, medians, labels that are frequent there", () => {
    expect(encoded({ "Production Budget": 10 ** 4.5, "Running Time min": null })).toMatchObject({
      logBudget: expect.closeTo(0, 12),
      runningTime: 0,
      runningTimeKnown: 0,
      "runningTime 1/1": 0.5,
      genre_Drama: 1,
    });
    expect(encoded({ "Major Genre": "Western", "MPAA Rating": null })).toMatchObject({
      genre_Drama: 0,
      genre_other: 1,
      mpaaRating_R: 0,
    });
    expect(encoder.featureNames).not.toContain("genre_Western");
  });

  test("brings outliers to the bound, and says which", () => {
    const [found] = encoder.outliers(read({ "Running Time min": 500 }));
    expect(found).toMatchObject({ row: 0, column: "runningTime", value: 500 });
    expect(found!.reason).toBe("runningTime is 500, above 125 (iqr, 3); clipped");
    expect(encoded({ "Running Time min": 500 })["runningTime 1/1"]).toBe(1);
  });

  test("of a table without a column names the column", () => {
    expect(() => encoder.encode(createTable({ budget: [1] }))).toThrow(
      expect.objectContaining({ code: "E_COLUMN", fields: expect.objectContaining({ column: "runningTime" }) }),
    );
  });

  test("predicts the logarithm of the gross, less the mean of the training part", () => {
    expect([...logGross(createTable({ gross: [1000] }))]).toEqual([expect.closeTo(3, 14)]);
    const { train, validation, test: held, featureNames } = movieSamples(movies, defaultOptions);
    expect([train.y.length, validation.y.length, held.y.length]).toEqual([2_201, 315, 630]);
    expect([train.x.length / 2_201, featureNames.length]).toEqual([numFeatures, numFeatures]);
    expect(train.y.reduce((sum, value) => sum + value) / 2_201).toBeCloseTo(0, 5);
    expect(movieSamples(movies, { ...defaultOptions, splitSeed: 1 }).train.y).not.toEqual(train.y);
  });
});

test("L1: two epochs are the same bits as a job of one worker or three, and as fit in this process or with three workers", async () => {
  const { one, three } = await trainWithOneAndThree("examples/06-table", { totalSteps: 70, evalIntervalSteps: 0 });
  expect(three.paramsSha256).toBe(one.paramsSha256);
  expect(three.metrics).toEqual(one.metrics);
  expect(one.metrics.r2).toBeGreaterThan(0.6); // 0.64; ridge 0.64, on all 875 steps 0.69
  const folder = temporaryFolder();
  const fitted = await runScript(join(here, "fit-twice.testkit.ts"), [folder]);
  expect(fitted.stderr).toBe("");
  const [alone, together] = JSON.parse(fitted.stdout) as { paramsSha256: string; epochs: { ms?: number }[] }[];
  expect(together).toEqual(alone);
  expect(alone!.paramsSha256).toBe(one.paramsSha256);
  expect(alone).toMatchObject({ test: one.metrics });
  const log = readFileSync(join(folder, "log.csv"), "utf8").split("\n");
  expect(log[0]).toBe("epoch,step,loss,evalLoss,r2,mae,learningRate,ms");
  expect(log.slice(1, 3).map((line) => line.split(",")[1])).toEqual(["35", "70"]);
}, 240_000);
