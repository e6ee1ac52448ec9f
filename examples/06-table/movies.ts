/**
 * @file The table of movies: read, checked, and cleaned by rules that are written down here. What is learned from it stands in movie-encoder.ts.
 *
 * Only what is known before a movie starts is read, and what it earned. Votes, ratings and the gross of one country come later.
 */
import { FormatError } from "@lockstep/core";
import { dropDuplicates, dropMissing, type Finding, type Table, tableOfRecords, withColumns } from "@lockstep/data";

/** Columns of numbers: name in the file -> name here. `gross` is what is predicted, in dollars as `budget` is. */
const numbers = {
  "Worldwide Gross": "gross",
  "Production Budget": "budget",
  "Running Time min": "runningTime",
} as const;
const texts = {
  "MPAA Rating": "mpaaRating",
  Distributor: "distributor",
  Source: "source",
  "Major Genre": "genre",
  "Creative Type": "creativeType",
} as const;
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** The file goes up to this year. Its later ones were written with two digits and read into the wrong century. */
const lastYear = 2011;

/**
 * The columns that are used, one row a movie.
 *
 * @param file its name, for messages
 * @throws {FormatError} E_FILE_FORMAT with file, row (from 1) and rule: no JSON, no list of records, a record without one of the columns, a
 *   number that is neither finite nor null, a text that is neither text nor null, a release date unlike "Jun 12 1998".
 */
export function readMovies(source: Uint8Array, file: string): Table {
  const movies = recordsOf(source, file).map((record, i) => readMovie(record, { file, row: i + 1 }));
  const { numRows, columns } = tableOfRecords(movies);
  // Text stays text where every movie lacks it.
  const ofText = Object.values(texts).map((name) => [name, movies.map((movie) => movie[name] as string | null)]);
  return { numRows, columns: { ...columns, ...Object.fromEntries(ofText) } };
}

function recordsOf(source: Uint8Array, file: string): readonly unknown[] {
  let records: unknown;
  try {
    records = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(source));
  } catch (cause) {
    // A number that is NaN or infinite is no JSON and ends here, too.
    throw movieError({ file }, `is no JSON: ${(cause as Error).message}`, "it must be one JSON document.");
  }
  if (Array.isArray(records)) return records;
  throw movieError({ file }, `is ${typeof records}`, "it must be a list of records.");
}

interface Place {
  readonly file: string;
  readonly row?: number;
  readonly column?: string;
}

function readMovie(record: unknown, place: Place): Record<string, number | string | null> {
  if (typeof record !== "object" || record === null) {
    throw movieError(place, `is ${JSON.stringify(record)}`, "every row must be a record.");
  }
  const cell = (column: string) => {
    if (Object.hasOwn(record, column)) return (record as Record<string, unknown>)[column];
    const must = `every record must have ${[...Object.keys(numbers), ...Object.keys(texts), "Title", "Release Date"].join(", ")}; null where it is not known.`;
    throw movieError({ ...place, column }, `has no "${column}"`, must);
  };
  const movie: Record<string, number | string | null> = { title: String(cell("Title")) };
  for (const [column, name] of Object.entries(numbers)) {
    const value = cell(column);
    if (value !== null && !(typeof value === "number" && Number.isFinite(value))) {
      throw movieError({ ...place, column }, `is ${shown(value)}`, "it must be a finite number, or null.");
    }
    movie[name] = value as number | null;
  }
  for (const [column, name] of Object.entries(texts)) {
    const value = cell(column);
    if (value !== null && typeof value !== "string") {
      throw movieError({ ...place, column }, `is ${shown(value)}`, "it must be text, or null.");
    }
    movie[name] = value;
  }
  const date = cell("Release Date");
  const parts = /^([A-Z][a-z]{2}) \d{2} (\d{4})$/.exec(String(date));
  const month = months.indexOf(parts?.[1] as (typeof months)[number]);
  if (parts === null || month < 0) {
    const must = 'it must be written like "Jun 12 1998".';
    throw movieError({ ...place, column: "Release Date" }, `is ${shown(date)}`, must);
  }
  return { ...movie, month: months[month]!, year: Number(parts[2]) };
}

const shown = (value: unknown): string => (typeof value === "number" ? String(value) : JSON.stringify(value));

function movieError(place: Place, is: string, must: string): FormatError {
  const { file, row, column } = place;
  const where = [file, ...(row === undefined ? [] : [`row ${row}`]), ...(column === undefined ? [] : [column])];
  return new FormatError(`readMovies: ${where.join(", ")}: ${is}; ${must}`, { ...place }, "E_FILE_FORMAT");
}

export interface CleanedMovies {
  readonly table: Table;
  /** What each rule changed or left out. Rows are those of the table before the rule. */
  readonly findings: {
    readonly wrongCentury: readonly Finding[];
    readonly noGross: readonly Finding[];
    readonly duplicates: readonly Finding[];
  };
}

/**
 * Mends the centuries, leaves out movies whose gross or budget is not known (0 says so, too), and those that repeat another's title, year and month.
 * Other missing values stay: what they are filled with is learned (movie-encoder.ts).
 */
export function cleanMovies(given: Table): CleanedMovies {
  const column = (table: Table, name: string) => table.columns[name] as Float64Array;
  const wrongCentury = [...column(given, "year")].flatMap((year, row): Finding[] =>
    year > lastYear
      ? [{ row, column: "year", value: year, reason: `year is ${year}, after ${lastYear}; a century less` }]
      : [],
  );
  const known = (name: string) => column(given, name).map((value) => (value > 0 ? value : Number.NaN));
  const mended = withColumns(given, {
    year: column(given, "year").map((year) => (year > lastYear ? year - 100 : year)),
    gross: known("gross"),
    budget: known("budget"),
  });
  const present = dropMissing(mended, { columns: ["gross", "budget"] });
  const single = dropDuplicates(present.table, { columns: ["title", "year", "month"] });
  return {
    table: single.table,
    findings: { wrongCentury, noGross: present.findings, duplicates: single.findings },
  };
}
