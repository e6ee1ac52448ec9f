import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { JobFileLocation } from "@lockstep/worker";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collectFiles } from "./collect-files.js";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "lockstep-files-"));
  const files = {
    "job/notes.txt": "n",
    "job/data/b.txt": "bb",
    "job/data/a.txt": "a",
    "job/data/a.json": "{}",
    "job/data/deep/c.txt": "ccc",
    "node_modules/@stdlib/text/data/x.txt": "x",
    "node_modules/plain/y.txt": "y",
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
});
afterAll(() => rmSync(root, { recursive: true }));

const collect = (files: Record<string, JobFileLocation>) => collectFiles(files, join(root, "job"));
const pathsOf = (files: Record<string, JobFileLocation>) => collect(files).map(({ name, path }) => `${name} ${path}`);

test("a file comes with its hash and its bytes", () => {
  expect(collect({ notes: "notes.txt" })).toEqual([
    {
      name: "notes",
      path: "notes.txt",
      sourcePath: join(root, "job/notes.txt"),
      sha256: createHash("sha256").update("n").digest("hex"),
      bytes: 1,
    },
  ]);
});

test("a folder comes whole, sorted, with paths below it", () => {
  expect(pathsOf({ data: "data" })).toEqual(["data a.json", "data a.txt", "data b.txt", "data deep/c.txt"]);
});

test("a pattern takes the files of one folder by their ending", () => {
  expect(pathsOf({ texts: "data/*.txt" })).toEqual(["texts a.txt", "texts b.txt"]);
});

test("npm: finds packages at and above the job, scoped and plain", () => {
  expect(pathsOf({ x: "npm:@stdlib/text/data", y: "npm:plain/y.txt" })).toEqual(["x x.txt", "y y.txt"]);
});

test.each([
  ["a missing path", { a: "gone.txt" }, /there is nothing at .*gone\.txt/],
  ["a pattern without a match", { a: "data/*.csv" }, /there is nothing at .*\*\.csv/],
  ["a package that is not installed", { a: "npm:@stdlib/none/x" }, /Run npm install @stdlib\/none/],
])("%s is a usage error that names the file", (_what, files, message) => {
  expect(() => collect(files as Record<string, string>)).toThrow(expect.objectContaining({ code: "E_JOB_FILE" }));
  expect(() => collect(files as Record<string, string>)).toThrow(message);
});

test("a missing file that the job has advice for is refused with it", () => {
  const data = { path: "/gone", ifMissing: "Fetch it from example.org." };
  expect(() => collect({ data })).toThrow(
    /file "data" is \/gone, .* a pattern that matches\. Fetch it from example\.org\.$/,
  );
  expect(pathsOf({ data: { path: "data/*.txt", ifMissing: "" } })).toEqual(["data a.txt", "data b.txt"]);
});
