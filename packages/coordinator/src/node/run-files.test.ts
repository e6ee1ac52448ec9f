import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BlobStore } from "./blob-store.js";
import { recoverCheckpoints, verifyCheckpoint, writeCheckpoint } from "./checkpoint-folder.js";
import { RunDirectory, supersedeLines } from "./run-directory.js";
import { sha256Of } from "./socket-run.testkit.js";

function newDir(): string {
  return mkdtempSync(join(tmpdir(), "lockstep-files-"));
}

function sourceIn(dir: string, text = "weights") {
  const path = join(dir, "incoming");
  writeFileSync(path, text);
  const sha256 = sha256Of(text);
  return {
    step: 7,
    paramsSha256: sha256,
    files: [{ name: "model.safetensors", sha256, byteLength: text.length, path }],
  };
}

test("a checkpoint is there as a whole under its name, and an unfinished one never is", async () => {
  const dir = newDir();
  const checkpoints = join(dir, "checkpoints");
  const source = sourceIn(dir);
  const missing = { ...source, files: [...source.files, { ...source.files[0]!, name: "b", path: join(dir, "gone") }] };
  await expect(writeCheckpoint(checkpoints, missing)).rejects.toThrow(/ENOENT/);
  expect(readdirSync(checkpoints).filter((name) => name.startsWith("step-"))).toEqual([]);
  await recoverCheckpoints(checkpoints);
  expect(readdirSync(checkpoints)).toEqual([]);
  await writeCheckpoint(checkpoints, source);
  await writeCheckpoint(checkpoints, source);
  expect(readdirSync(checkpoints)).toEqual(["step-000007"]);
  expect((await verifyCheckpoint(join(checkpoints, "step-000007"))).step).toBe(7);
});

test.each([
  ["a flipped byte", (path: string) => writeFileSync(path, "wEights"), /its bytes have changed/],
  ["a cut file", (path: string) => writeFileSync(path, "weig"), /has 4 bytes; the manifest says 7/],
])("%s is found when the checkpoint is read", async (_, damage, message) => {
  const dir = newDir();
  const folder = await writeCheckpoint(join(dir, "checkpoints"), sourceIn(dir));
  damage(join(folder, "model.safetensors"));
  await expect(verifyCheckpoint(folder)).rejects.toThrow(message);
});

test("a manifest that is no JSON, or of another schema, is an error that names it", async () => {
  const dir = newDir();
  const folder = await writeCheckpoint(join(dir, "checkpoints"), sourceIn(dir));
  for (const text of ["{", '{"schema": 2}']) {
    writeFileSync(join(folder, "manifest.json"), text);
    await expect(verifyCheckpoint(folder)).rejects.toMatchObject({ code: "E_CHECKPOINT" });
  }
});

test.each(["../evil", "manifest.json", "a/b", ""])("a checkpoint file called %j is refused", async (name) => {
  const dir = newDir();
  const source = sourceIn(dir);
  const files = [{ ...source.files[0]!, name }];
  await expect(writeCheckpoint(join(dir, "checkpoints"), { ...source, files })).rejects.toMatchObject({
    code: "E_CHECKPOINT_NAME",
  });
});

test("a blob comes in by chunks, is checked, and goes on where it stopped", async () => {
  const store = new BlobStore({ incomingDir: join(newDir(), "incoming") });
  const bytes = new TextEncoder().encode("hello world");
  const sha256 = sha256Of(bytes);
  const put = (offset: number, end: number) =>
    store.put({ sha256, offset, byteLength: bytes.byteLength, bytes: bytes.subarray(offset, end) });
  expect(await put(0, 5)).toEqual({ sha256, nextOffset: 5, isComplete: false });
  expect(await put(0, 5)).toEqual({ sha256, nextOffset: 5, isComplete: false });
  await expect(put(7, 11)).rejects.toMatchObject({ code: "E_BLOB_CHUNK", fields: { expected: 5 } });
  expect(store.findPath(sha256)).toBeUndefined();
  expect(await put(5, 11)).toEqual({ sha256, nextOffset: 11, isComplete: true });
  expect(readFileSync(store.findPath(sha256)!, "utf8")).toBe("hello world");
  expect(await put(0, 5)).toEqual({ sha256, nextOffset: 11, isComplete: true });
  await store.dispose();
});

test("bytes that do not have the promised sha256 are not kept", async () => {
  const store = new BlobStore({ incomingDir: join(newDir(), "incoming") });
  const sha256 = sha256Of("expected");
  const bytes = new TextEncoder().encode("received");
  await expect(store.put({ sha256, offset: 0, byteLength: 8, bytes })).rejects.toMatchObject({ code: "E_BLOB_HASH" });
  await expect(store.read({ sha256, offset: 0, maxBytes: 8 })).rejects.toMatchObject({ code: "E_BLOB_MISSING" });
  await store.dispose();
});

test("one blob, and all that come in together, have their limits", async () => {
  const store = new BlobStore({ incomingDir: join(newDir(), "incoming"), maxBlobBytes: 10, maxIncomingBytes: 15 });
  const begin = (name: string, byteLength: number) =>
    store.put({ sha256: sha256Of(name), offset: 0, byteLength, bytes: new Uint8Array(1) });
  await expect(begin("large", 11)).rejects.toMatchObject({ code: "E_BLOB_TOO_LARGE" });
  await begin("first", 10);
  await expect(begin("second", 6)).rejects.toMatchObject({ code: "E_BLOB_TOO_LARGE" });
  await begin("third", 5);
  await store.dispose();
});

function directory(dir: string, isResumed: boolean, isAlive: (pid: number) => boolean = () => true) {
  return new RunDirectory({ dir, isResumed, processId: 41, isAlive });
}

test("a run directory is held by one process; a lock whose process died is taken over", () => {
  const dir = newDir();
  const first = directory(dir, false);
  expect(() => directory(dir, false)).toThrow(/in use by process 41/);
  const second = directory(dir, false, () => false);
  second.dispose();
  expect(existsSync(join(dir, "lock"))).toBe(false);
  first.dispose();
});

test("lines after the checkpoint's step, and one that was cut short, move aside", () => {
  const dir = newDir();
  const path = join(dir, "metrics.jsonl");
  const lines = [1, 2, 3, 4].map((step) => JSON.stringify({ step }));
  writeFileSync(path, `${lines.join("\n")}\n{"step": 5, "lo`);
  supersedeLines(path, 2);
  expect(readFileSync(path, "utf8")).toBe(`${lines[0]}\n${lines[1]}\n`);
  expect(readFileSync(`${path}.superseded`, "utf8")).toBe(`${lines[2]}\n${lines[3]}\n{"step": 5, "lo\n`);
});

test("checkpoints after the one resumed from are moved aside, so that a step has one", () => {
  const dir = newDir();
  for (const step of ["step-000002", "step-000004"]) mkdirSync(join(dir, "checkpoints", step), { recursive: true });
  const resumed = directory(dir, true);
  resumed.supersede(2);
  resumed.dispose();
  expect(readdirSync(join(dir, "checkpoints")).sort()).toEqual(["step-000002", "step-000004.superseded"]);
});

test("a checkpoint that was put aside comes back where the new one never took its place, and goes where it did", async () => {
  const dir = newDir();
  const checkpoints = join(dir, "checkpoints");
  const folder = await writeCheckpoint(checkpoints, sourceIn(dir, "old"));
  renameSync(folder, join(checkpoints, ".aside-step-000007"));
  await recoverCheckpoints(checkpoints);
  expect(readFileSync(join(folder, "model.safetensors"), "utf8")).toBe("old");
  mkdirSync(join(checkpoints, ".aside-step-000007"));
  await recoverCheckpoints(checkpoints);
  expect(readdirSync(checkpoints)).toEqual(["step-000007"]);
});
