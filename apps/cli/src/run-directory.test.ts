import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { chooseNewRunFolder, chooseResumeFolder, findLastCheckpoint, readRunConfig } from "./run-directory.js";

let cwd = "";
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "lockstep-runs-"));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const now = new Date(2026, 0, 2, 3, 4, 5);

function plant(path: string, text = "{}", mtimeSeconds = 0): void {
  const file = join(cwd, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  if (mtimeSeconds > 0) utimesSync(file, mtimeSeconds, mtimeSeconds);
}

test("a run is named after its job and the time, and never takes a folder that exists", () => {
  expect(chooseNewRunFolder(undefined, "char-gpt", cwd, now)).toBe(join(cwd, "runs/char-gpt-2026-01-02-030405"));
  plant("runs/char-gpt-2026-01-02-030405/config.json");
  expect(chooseNewRunFolder(undefined, "char-gpt", cwd, now)).toBe(join(cwd, "runs/char-gpt-2026-01-02-030405-2"));
});

test("--out may be missing or empty, and nothing else", () => {
  expect(chooseNewRunFolder("out/r1", "x", cwd, now)).toBe(join(cwd, "out/r1"));
  mkdirSync(join(cwd, "out/r1"), { recursive: true });
  expect(chooseNewRunFolder("out/r1", "x", cwd, now)).toBe(join(cwd, "out/r1"));
  plant("out/r1/notes.txt");
  expect(() => chooseNewRunFolder("out/r1", "x", cwd, now)).toThrow(
    expect.objectContaining({ code: "E_OUT_NOT_EMPTY" }),
  );
});

test("--resume means DIR, else --out, else the newest run", () => {
  plant("runs/old/config.json", "{}", 1_000);
  plant("runs/new/config.json", "{}", 2_000);
  plant("out/r1/config.json", "{}", 500);
  expect(chooseResumeFolder("out/r1", undefined, cwd)).toBe(join(cwd, "out/r1"));
  expect(chooseResumeFolder(true, "out/r1", cwd)).toBe(join(cwd, "out/r1"));
  expect(chooseResumeFolder(true, undefined, cwd)).toBe(join(cwd, "runs/new"));
  expect(() => chooseResumeFolder("out/none", undefined, cwd)).toThrow(/out\/none holds no run/);
});

test("the last checkpoint is the one of the highest step that is complete", () => {
  plant("run/checkpoints/step-000020/manifest.json");
  plant("run/checkpoints/step-000100/manifest.json");
  plant("run/checkpoints/step-000200/model.safetensors");
  plant("run/checkpoints/.step-000300.tmp/manifest.json");
  expect(findLastCheckpoint(join(cwd, "run"))).toEqual({ dir: join(cwd, "run/checkpoints/step-000100"), step: 100 });
  expect(findLastCheckpoint(join(cwd, "none"))).toBeUndefined();
});

test("a run of another schema is refused with the version that made it", () => {
  plant("run/config.json", '{"schema": 9, "version": "7.1.0"}');
  expect(() => readRunConfig(join(cwd, "run"))).toThrow(/schema 9; this version reads schema 1\. .*7\.1\.0/);
});

test("a config.json that is cut off or no object is refused with its path", () => {
  plant("run/config.json", '{"schema": 1, "na');
  expect(() => readRunConfig(join(cwd, "run"))).toThrow(
    expect.objectContaining({
      code: "E_USAGE_RUN",
      message: expect.stringMatching(/run\/config\.json cannot be read \(/),
    }),
  );
  plant("run/config.json", "null");
  expect(() => readRunConfig(join(cwd, "run"))).toThrow(/run\/config\.json is null; it must be the JSON object/);
});
