import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirtualClock } from "@lockstep/collectives/testing";
import { expect, test } from "vitest";
import { type BlobSender, BlobStore } from "./blob-store.js";
import { sha256Of } from "./socket-run.testkit.js";

const bytes = new TextEncoder().encode("hello world");
const sha256 = sha256Of(bytes);

function storeIn(maxIncomingBytes = 11) {
  const incomingDir = join(mkdtempSync(join(tmpdir(), "lockstep-blobs-")), "incoming");
  const store = new BlobStore({ incomingDir, maxIncomingBytes });
  const put = (peer: BlobSender, offset: number, end: number) =>
    store.put({ sha256, offset, byteLength: bytes.byteLength, bytes: bytes.subarray(offset, end) }, peer);
  return { incomingDir, store, put };
}

/** A connection of a worker. */
const worker = (workerId: string): BlobSender => ({ workerId });

/** Files below a folder that this process holds open; Linux names them. */
function openBelow(dir: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(dir) ? [path] : [];
    } catch {
      return [];
    }
  });
}

test("what a worker had begun to send goes with it: its file, its handle and its share of the limit", async () => {
  const { incomingDir, store, put } = storeIn();
  const [gone, next] = [worker("a"), worker("b")];
  await put(gone, 0, 5);
  await store.leave(gone);
  expect(readdirSync(incomingDir)).toEqual([]);
  if (process.platform === "linux") expect(openBelow(incomingDir)).toEqual([]);
  // The limit has room for one: the next worker begins at 0 and completes.
  expect(await put(next, 0, 5)).toMatchObject({ nextOffset: 5 });
  expect(await put(next, 5, 11)).toMatchObject({ isComplete: true });
  expect(readFileSync(store.findPath(sha256)!, "utf8")).toBe("hello world");
  await store.dispose();
});

test("a chunk that was still queued when its worker left begins nothing", async () => {
  const { incomingDir, store, put } = storeIn();
  const gone = worker("a");
  await store.leave(gone);
  await expect(put(gone, 0, 5)).rejects.toMatchObject({ code: "E_BLOB_CHUNK" });
  expect(existsSync(incomingDir)).toBe(false);
  await store.dispose();
});

test("two workers that send the same blob do not write into one file, and its bytes count once", async () => {
  const { incomingDir, store, put } = storeIn(22);
  const [a, b] = [worker("a"), worker("b")];
  await put(a, 0, 5);
  expect(await put(b, 0, 7)).toMatchObject({ nextOffset: 7 });
  await Promise.all([put(a, 5, 11), put(b, 7, 11)]);
  expect(readdirSync(incomingDir)).toEqual([sha256]);
  await store.release([sha256]);
  // All 22 bytes are free again.
  await Promise.all([put(a, 0, 1), put(b, 0, 1)]);
  await store.dispose();
});

test("two chunks of one worker at once begin one blob", async () => {
  const { incomingDir, store, put } = storeIn();
  const peer = worker("a");
  await Promise.all([put(peer, 0, 5), put(peer, 0, 5)]);
  expect(readdirSync(incomingDir)).toHaveLength(1);
  expect(await put(peer, 5, 11)).toMatchObject({ isComplete: true });
  await store.dispose();
});

test("a released blob that was read leaves no handle behind", async () => {
  const { incomingDir, store, put } = storeIn();
  await put(worker("a"), 0, 11);
  await store.read({ sha256, offset: 0, maxBytes: 11 });
  await store.release([sha256]);
  if (process.platform === "linux") expect(openBelow(incomingDir)).toEqual([]);
  await expect(store.read({ sha256, offset: 0, maxBytes: 11 })).rejects.toMatchObject({ code: "E_BLOB_MISSING" });
  await store.dispose();
});

test("a chunk that the disk did not take does not count as come in", async () => {
  const { incomingDir, store, put } = storeIn();
  const peer = worker("a");
  writeFileSync(incomingDir, "a file where the folder should be");
  await expect(put(peer, 0, 5)).rejects.toThrow(/EEXIST|ENOTDIR/);
  rmSync(incomingDir);
  mkdirSync(incomingDir);
  expect(await put(peer, 0, 5)).toMatchObject({ nextOffset: 5 });
  expect(await put(peer, 5, 11)).toMatchObject({ isComplete: true });
  await store.dispose();
});

function keepingStore(forMs: number) {
  const clock = new VirtualClock();
  const incomingDir = join(mkdtempSync(join(tmpdir(), "lockstep-blobs-")), "incoming");
  const store = new BlobStore({ incomingDir, maxIncomingBytes: 11, keepParts: { forMs, clock } });
  const put = (sender: BlobSender, offset: number, end: number) =>
    store.put({ sha256, offset, byteLength: bytes.byteLength, bytes: bytes.subarray(offset, end) }, sender);
  return { clock, incomingDir, store, put };
}

test("a worker that is back in time goes on where its broken connection had come to", async () => {
  const { clock, store, put } = keepingStore(1_000);
  const [before, after] = [worker("a"), worker("a")];
  await put(before, 0, 7);
  await store.leave(before);
  await clock.runTo(999);
  expect(await put(after, 0, 4)).toEqual({ sha256, nextOffset: 7, isComplete: false });
  // Its part is its new connection's now, and nobody's timer takes it.
  await clock.runTo(5_000);
  await store.leave(before);
  expect(await put(after, 7, 11)).toMatchObject({ isComplete: true });
  expect(readFileSync(store.findPath(sha256)!, "utf8")).toBe("hello world");
  await store.dispose();
});

test("a part whose worker does not come back goes in time, and another worker cannot go on with it", async () => {
  const { clock, incomingDir, store, put } = keepingStore(1_000);
  const gone = worker("a");
  await put(gone, 0, 7);
  await store.leave(gone);
  await expect(put(worker("b"), 7, 11)).rejects.toMatchObject({ code: "E_BLOB_TOO_LARGE" });
  await clock.runTo(1_001);
  await expect.poll(() => readdirSync(incomingDir)).toEqual([]);
  expect(await put(worker("b"), 0, 11)).toMatchObject({ isComplete: true });
  await store.dispose();
});

test("a job of many files does not keep them all open, and each is read from where it is asked", async () => {
  const { incomingDir, store } = storeIn();
  mkdirSync(incomingDir);
  const texts = Array.from({ length: 100 }, (_, i) => `file ${100 + i}`);
  const refs = texts.map((text) => {
    const path = join(incomingDir, text);
    writeFileSync(path, text);
    const ref = { sha256: sha256Of(new TextEncoder().encode(text)), path };
    store.addFile(ref.sha256, path, 8);
    return ref;
  });
  const read = async ({ sha256 }: { readonly sha256: string }, offset: number): Promise<string> =>
    new TextDecoder().decode((await store.read({ sha256, offset, maxBytes: 4 })).bytes);
  expect(await Promise.all(refs.map((ref) => read(ref, 0)))).toEqual(texts.map((text) => text.slice(0, 4)));
  if (process.platform === "linux") expect(openBelow(incomingDir).length).toBe(64);
  for (const [i, ref] of refs.entries()) expect(await read(ref, 4)).toBe(texts[i]!.slice(4));
  // The ones that were used last stay open.
  if (process.platform === "linux")
    expect(openBelow(incomingDir).sort()).toEqual(refs.slice(-64).map(({ path }) => path));
  await store.dispose();
});

test("a file that could not be opened is tried again when it is asked for again", async () => {
  const { incomingDir, store } = storeIn();
  const path = join(incomingDir, "late");
  store.addFile(sha256, path, bytes.byteLength);
  await expect(store.read({ sha256, offset: 0, maxBytes: 11 })).rejects.toMatchObject({ code: "ENOENT" });
  mkdirSync(incomingDir);
  writeFileSync(path, bytes);
  expect((await store.read({ sha256, offset: 0, maxBytes: 11 })).bytes).toEqual(bytes);
  await store.dispose();
});
