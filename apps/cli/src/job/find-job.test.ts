import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findJob } from "./find-job.js";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-find-job-"));
  mkdirSync(join(folder, "char-gpt"));
  mkdirSync(join(folder, "empty"));
  writeFileSync(join(folder, "char-gpt", "job.ts"), "");
});
afterAll(() => rmSync(folder, { recursive: true }));

test("takes a module, or the job module of a folder", () => {
  const module = join(folder, "char-gpt", "job.ts");
  expect(findJob("char-gpt/job.ts", folder)).toBe(module);
  expect(findJob("char-gpt", folder)).toBe(module);
});

test("suggests the name that was probably meant", () => {
  expect(() => findJob("chargpt", folder)).toThrow(
    expect.objectContaining({ code: "E_JOB_NOT_FOUND", message: expect.stringContaining('Did you mean "char-gpt"?') }),
  );
});

test("says what a folder must hold", () => {
  expect(() => findJob("empty", folder)).toThrow(/holds none of job\.ts, job\.mts, job\.js, job\.mjs/);
});
