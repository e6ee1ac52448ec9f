/**
 * @file Mails as words: how the packed file is read, how mails are cleaned, which are held out, and the words that the model knows.
 *
 * Of the header only the subject is in the file: the other lines say which machines a mail went through and when, which gives the class away in
 * this collection, whose ham and spam were not collected by the same people.
 */
import { FormatError } from "@lockstep/core";
import {
  createTable,
  decodeJsonLines,
  dropDuplicates,
  type Finding,
  normalizeText,
  trainTestSplit,
} from "@lockstep/data";
import { gunzipSync } from "fflate";

/** Of the collection; "hard" ham looks like spam: newsletters, offers that were asked for. */
export const folders = ["easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2"] as const;

/** A line of the file. */
export interface PackedMail {
  /** Folder and number, as in "spam-1/00042". */
  readonly name: string;
  readonly subject: string;
  /** The beginning of what a person would read. */
  readonly body: string;
}

export interface Mail {
  readonly folder: string;
  readonly isSpam: boolean;
  /** Subject and body, cleaned. */
  readonly text: string;
}

/**
 * The mails of mails.jsonl.gz, cleaned.
 *
 * @param file its name, for messages
 * @throws {FormatError} E_FILE_FORMAT with file, line and rule: no gzip, no JSON, a mail without name, subject or body, a name of no known folder.
 */
export function readMails(packed: Uint8Array, file: string): Mail[] {
  let unpacked: Uint8Array;
  try {
    unpacked = gunzipSync(packed);
  } catch (cause) {
    const text = `readMails: ${file}: is no gzip: ${(cause as Error).message}; it must be what pack-mails.ts writes.`;
    throw new FormatError(text, { file }, "E_FILE_FORMAT");
  }
  return decodeJsonLines(unpacked, { file }).map((value, i) => {
    const line = i + 1;
    const refuse = (what: string, is: string, must: string): never => {
      const text = `readMails: ${file}, line ${line}: ${what} is ${is}; ${must}`;
      throw new FormatError(text, { file, line }, "E_FILE_FORMAT");
    };
    const mail = value as Partial<PackedMail> | null;
    if (typeof mail !== "object" || mail === null) {
      return refuse("the mail", String(JSON.stringify(mail)), "it must be a record of name, subject and body.");
    }
    const { name, subject, body } = mail;
    for (const [key, text] of Object.entries({ name, subject, body })) {
      if (typeof text !== "string") refuse(key, String(JSON.stringify(text)), "it must be text.");
    }
    const folder = folders.find((known) => name!.startsWith(`${known}/`));
    if (folder === undefined) {
      return refuse("name", JSON.stringify(name), `it must begin with one of ${folders.join(", ")} and "/".`);
    }
    return { folder, isSpam: folder.startsWith("spam"), text: cleanText(`${subject}\n${body}`) };
  });
}

/** Lower case, one form of Unicode, `urlword` and `numberword` for each URL and number. */
export function cleanText(text: string): string {
  const placeholders = { urlPlaceholder: " urlword ", numberPlaceholder: " numberword " };
  return normalizeText(text, { case: "lower", ...placeholders }).text;
}

export interface MailSplit {
  /** Without those that repeat another. */
  readonly mails: readonly Mail[];
  /** Places of mails; the folders have the same shares in both. */
  readonly train: readonly number[];
  readonly heldOut: readonly number[];
  /** The mails that were left out, by their places in what was given, and which one they repeat. */
  readonly duplicates: readonly Finding[];
}

/** Leaves out mails that repeat another's text, so that none is trained on and held out, and holds out a fifth of each folder. */
export function splitMails(given: readonly Mail[], seed: number): MailSplit {
  const column = <K extends keyof Mail>(key: K) => given.map((mail) => mail[key]);
  const table = createTable({ text: column("text"), folder: column("folder") });
  const { findings, removedRows } = dropDuplicates(table, { columns: ["text"] });
  const removed = new Set(removedRows);
  const mails = given.filter((_, place) => !removed.has(place));
  const stratify = mails.map(({ folder }) => folder);
  const { train, test } = trainTestSplit(mails.length, { testSize: 0.2, stratify, seed });
  return { mails, train, heldOut: test, duplicates: findings };
}

/** Words, placeholders, and the marks that advertising likes. */
export function wordsOf(text: string): string[] {
  return text.match(/[\p{L}']+|[$!%]/gu) ?? [];
}

export const paddingId = 0;
export const unknownId = 1;
const firstWordId = 2;

/** Numbers of the words that are in most of the texts, at least two; among equals the one that sorts first. */
export function learnVocabulary(texts: readonly string[], vocabSize: number): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of new Set(wordsOf(text))) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const ranked = [...counts].filter(([, count]) => count > 1).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return new Map(ranked.slice(0, vocabSize - firstWordId).map(([word], place) => [word, firstWordId + place]));
}

/** The first `seqLen` words as numbers, then padding; a text without words is one unknown word. */
export function encodeText(text: string, vocabulary: ReadonlyMap<string, number>, seqLen: number): Int32Array {
  const words = wordsOf(text).slice(0, seqLen);
  const ids = new Int32Array(seqLen).fill(paddingId);
  for (const [place, word] of words.entries()) ids[place] = vocabulary.get(word) ?? unknownId;
  if (words.length === 0) ids[0] = unknownId;
  return ids;
}
