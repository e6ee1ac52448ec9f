/**
 * Writes the ratings and their split as JSON, for peer.py.
 *
 *   npx tsx examples/05-recommendation/write-split.ts FILE
 */
import { writeFileSync } from "node:fs";
import { config } from "./job.js";
import { makeRatings } from "./ratings.js";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("write-split: FILE is missing; it must say where to write.");
const options = config.parse({});
const { train, heldOut } = makeRatings({ ...options, seed: options.dataSeed });
writeFileSync(file, JSON.stringify({ numItems: options.numItems, train, heldOut }));
