/**
 * Writes what the job trains and is measured on as JSON, for peer.py.
 *
 *   npx tsx examples/06-table/write-split.ts FILE [SPLIT_SEED]
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defaultOptions, type MovieSamples, movieSamples } from "./movie-samples.js";

const [file, splitSeed = defaultOptions.splitSeed] = process.argv.slice(2);
if (file === undefined) throw new Error("write-split: FILE is missing; it must say where to write.");
const movies = readFileSync(fileURLToPath(new URL("node_modules/vega-datasets/data/movies.json", import.meta.url)));
const { train, test, featureNames } = movieSamples(movies, { ...defaultOptions, splitSeed: Number(splitSeed) });
const arrays = ({ x, y }: MovieSamples) => ({ x: [...x], y: [...y] });
writeFileSync(file, JSON.stringify({ featureNames, train: arrays(train), test: arrays(test) }));
