/**
 * Writes the cleaned mails and their split as JSON, for peer.py.
 *
 *   npx tsx examples/04-spam/write-split.ts FILE [SPLIT_SEED]
 */
import { readFileSync, writeFileSync } from "node:fs";
import { config } from "./job.js";
import { readMails, splitMails, wordsOf } from "./mails.js";

const options = config.parse({});
const [file, splitSeed = options.splitSeed] = process.argv.slice(2);
if (file === undefined) throw new Error("write-split: FILE is missing; it must say where to write.");
const packed = readFileSync(new URL("mails.jsonl.gz", import.meta.url));
const { mails, train, heldOut } = splitMails(readMails(packed, "mails.jsonl.gz"), Number(splitSeed));
const part = (places: readonly number[]) =>
  places.map((place) => ({
    words: wordsOf(mails[place]!.text).slice(0, options.seqLen).join(" "),
    isSpam: mails[place]!.isSpam,
  }));
writeFileSync(file, JSON.stringify({ vocabSize: options.vocabSize, train: part(train), heldOut: part(heldOut) }));
