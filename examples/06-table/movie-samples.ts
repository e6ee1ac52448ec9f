/** @file From the bytes of the file to samples: cleaned, split, encoded. One path for the job, for fit and for peer.py. Legend: K features. */
import { datasetColumn, type Matrix, StandardScaler, takeRows, trainValidationTestSplit } from "@lockstep/data";
import { logGross, MovieEncoder, type MovieEncoderOptions } from "./movie-encoder.js";
import { type CleanedMovies, cleanMovies, readMovies } from "./movies.js";

export interface MovieSamplesOptions extends MovieEncoderOptions {
  readonly splitSeed: number;
}

export const defaultOptions: MovieSamplesOptions = { splitSeed: 0, minLabelCount: 20, numPieces: 10 };

export interface MovieSamples {
  /** Row after row, K features each. */
  readonly x: Float32Array;
  /** log10 of the gross, less its mean over the training part. */
  readonly y: Float32Array;
}

export interface SplitMovies {
  readonly train: MovieSamples;
  /** A tenth of the movies, to stop by. */
  readonly validation: MovieSamples;
  /** A fifth, to be measured on. */
  readonly test: MovieSamples;
  readonly featureNames: readonly string[];
  readonly cleaned: CleanedMovies;
}

/** @throws {FormatError} E_FILE_FORMAT as readMovies. */
export function movieSamples(source: Uint8Array, options: MovieSamplesOptions): SplitMovies {
  const cleaned = cleanMovies(readMovies(source, "movies.json"));
  const { table } = cleaned;
  const { splitSeed: seed } = options;
  const parts = trainValidationTestSplit(table.numRows, { validationSize: 0.1, testSize: 0.2, seed });
  const train = takeRows(table, parts.train);
  const encoder = new MovieEncoder(train, options);
  const targets = (values: Float64Array) => ({ numRows: values.length, numColumns: 1, values });
  const centre = new StandardScaler({ withStd: false }).fit(targets(logGross(train)));
  const samples = (places: readonly number[]): MovieSamples => {
    const movies = takeRows(table, places);
    const data = (matrix: Matrix) => datasetColumn(matrix).data as Float32Array;
    return { x: data(encoder.encode(movies)), y: data(centre.transform(targets(logGross(movies)))) };
  };
  return {
    train: samples(parts.train),
    validation: samples(parts.validation),
    test: samples(parts.test),
    featureNames: encoder.featureNames,
    cleaned,
  };
}
