/**
 * @file One line of journal.jsonl: a record as JSON behind the first 16 digits of that JSON's sha256.
 *
 * `{"check":"0123456789abcdef","kind":"commit","step":12,...}`: the checksum is of the line without its `check` field.
 */
import { hash } from "node:crypto";
import * as z from "zod";
import type { JournalEntry } from "../state/journal-entry.js";

const step = z.int().min(0);
const jsonObject = z.record(z.string(), z.unknown());

/** What stays the same when a directory is moved or the machine restarts, and differs in a copy. */
const directoryIdentitySchema = z.object({
  host: z.string(),
  device: z.string(),
  inode: z.string(),
  /** Nanoseconds since 1970 at which the journal's file was made; "0" where the file system does not say. */
  birthTimeNs: z.string(),
});

export type DirectoryIdentity = Readonly<z.infer<typeof directoryIdentitySchema>>;

const runSchema = z.object({
  kind: z.literal("run"),
  runId: z.string(),
  term: z.int().min(0),
  jobSha256: z.string(),
  lockstepVersion: z.string(),
  directory: directoryIdentitySchema,
});

const journalRecordSchema = z.discriminatedUnion("kind", [
  runSchema,
  z.object({
    kind: z.literal("membership"),
    term: z.int().min(0),
    generation: z.int().min(0),
    members: z.array(z.object({ workerId: z.string(), name: z.string() })),
  }),
  z.object({
    kind: z.literal("commit"),
    step,
    generation: z.int().min(0),
    gradientHash: z.string(),
    metrics: jsonObject.nullable(),
    totals: jsonObject.nullable(),
  }),
  z.object({
    kind: z.literal("evaluated"),
    step,
    evalLoss: z.number(),
    metrics: z.record(z.string(), z.number()).optional(),
  }),
  z.object({ kind: z.literal("checkpoint"), step, paramsSha256: z.string(), reasons: z.array(z.string()) }),
  z.object({ kind: z.literal("strike"), workerId: z.string(), reason: z.string() }),
  z.object({ kind: z.literal("ban"), workerId: z.string(), name: z.string(), reason: z.string() }),
  z.object({ kind: z.literal("rewind"), step }),
  z.object({ kind: z.literal("lossScale"), step, lossScale: z.number().min(1) }),
  z.object({ kind: z.literal("end"), status: z.string(), step }),
]);

/** A coordinator begins: the first record of each term. */
export type RunRecord = Readonly<z.infer<typeof runSchema>>;

/** A record as it is written. */
export type JournalRecord = RunRecord | JournalEntry;

/** A record as it is read back. */
export type StoredRecord = z.infer<typeof journalRecordSchema>;

const opening = '{"check":"';
const numDigits = 16;
/** Where the record's own fields begin. */
const bodyAt = opening.length + numDigits + '",'.length;
const commitOpening = '{"kind":"commit","step":';

/** With its line end. A commit begins with its kind and step, so that reading a long journal need not parse it. */
export function encodeJournalLine(record: object & { readonly kind: string }): Buffer {
  const { kind, step, ...rest } = record as { kind: string; step?: number };
  const json = JSON.stringify(step === undefined ? { kind, ...rest } : { kind, step, ...rest });
  return Buffer.from(`${opening}${digitsOf(Buffer.from(json))}",${json.slice(1)}\n`);
}

/** The record's JSON when the line, without its end, is whole; undefined when a byte of it is wrong. */
export function checkJournalLine(line: Buffer): Buffer | undefined {
  if (line.length <= bodyAt) return undefined;
  const head = line.toString("latin1", 0, bodyAt);
  if (!head.startsWith(opening) || !head.endsWith('",')) return undefined;
  const body = Buffer.allocUnsafe(line.length - bodyAt + 1);
  body[0] = 0x7b;
  line.copy(body, 1, bodyAt);
  return digitsOf(body) === head.slice(opening.length, -2) ? body : undefined;
}

/** Step of a commit, read from its first bytes; undefined for another record. */
export function commitStepOf(body: Buffer): number | undefined {
  const text = body.toString("latin1", 0, commitOpening.length + 16);
  return text.startsWith(commitOpening) ? Number.parseInt(text.slice(commitOpening.length), 10) : undefined;
}

/** @throws {SyntaxError | z.ZodError} for a whole line that another version wrote. */
export function parseJournalRecord(body: Buffer): StoredRecord {
  return journalRecordSchema.parse(JSON.parse(body.toString("utf8")));
}

function digitsOf(json: Buffer): string {
  return hash("sha256", json, "hex").slice(0, numDigits);
}
