import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlobRef } from "@lockstep/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BlobCache } from "./blob-cache.js";

vi.mock("node:fs/promises", async (importOriginal) => {
  const original = await importOriginal<typeof import("node:fs/promises")>();
  return { ...original, readdir: vi.fn(original.readdir), stat: vi.fn(original.stat) };
});

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "lockstep-blobs-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
function refOf(text: string): BlobRef {
  const bytes = bytesOf(text);
  return { sha256: createHash("sha256").update(bytes).digest("hex"), byteLength: bytes.byteLength };
}

test("a blob is fetched once, and again when its file was changed", async () => {
  const fetched: string[] = [];
  const fetch = async () => {
    fetched.push("job");
    return bytesOf("job");
  };
  const cache = new BlobCache({ dir });
  const path = await cache.pathOf(refOf("job"), fetch);
  expect(await readFile(path, "utf8")).toBe("job");
  await new BlobCache({ dir }).pathOf(refOf("job"), fetch);
  expect(fetched).toHaveLength(1);
  await writeFile(path, "jab");
  await cache.pathOf(refOf("job"), fetch);
  expect(fetched).toHaveLength(2);
  expect(await readFile(path, "utf8")).toBe("job");
});

test("bytes that do not have the sha256 are refused and not kept", async () => {
  const cache = new BlobCache({ dir });
  await expect(cache.pathOf(refOf("right"), async () => bytesOf("wrong"))).rejects.toMatchObject({ code: "E_BLOB" });
  expect(await readdir(dir)).toEqual([]);
});

test("the cache stays below its bound and never drops what this run uses", async () => {
  await new BlobCache({ dir }).pathOf(refOf("an old blob"), async () => bytesOf("an old blob"));
  const cache = new BlobCache({ dir, maxBytes: 12 });
  for (const text of ["first blob", "second blob"]) await cache.pathOf(refOf(text), async () => bytesOf(text));
  expect((await readdir(dir)).sort()).toEqual([refOf("first blob").sha256, refOf("second blob").sha256].sort());
});

/** Keeps each text with a cache of its own, as earlier runs would, the first one longest ago. */
async function keepOld(texts: readonly string[]): Promise<void> {
  for (const [i, text] of texts.entries()) {
    const path = await new BlobCache({ dir }).pathOf(refOf(text), async () => bytesOf(text));
    await utimes(path, 1_000 + i, 1_000 + i);
  }
}
const namesOf = (texts: readonly string[]) => texts.map((text) => refOf(text).sha256).sort();
const put = (cache: BlobCache, text: string) => cache.pathOf(refOf(text), async () => bytesOf(text));

test("the folder is read once for many blobs, not once for each", async () => {
  const texts = Array.from({ length: 100 }, (_, i) => `blob ${i}`);
  const cache = new BlobCache({ dir });
  vi.mocked(readdir).mockClear();
  vi.mocked(stat).mockClear();
  await Promise.all(texts.map((text) => put(cache, text)));
  expect(vi.mocked(readdir).mock.calls.length).toBe(1);
  expect(vi.mocked(stat).mock.calls.length).toBe(1);
  expect((await readdir(dir)).sort()).toEqual(namesOf(texts));
});

test("a full cache drops the oldest for each that comes, and does not read the folder for it", async () => {
  const old = Array.from({ length: 32 }, (_, i) => `old blob ${10 + i}`); // 11 bytes each
  await keepOld(old);
  const cache = new BlobCache({ dir, maxBytes: 11 * 32 + 5 });
  vi.mocked(readdir).mockClear();
  for (const text of ["new blob 01", "new blob 02", "new blob 03", "new blob 04"]) await put(cache, text);
  // The bound is 357 bytes: two blobs are within a sixteenth of it, so the folder is read at the first and at the fourth.
  expect(vi.mocked(readdir).mock.calls.length).toBe(2);
  const kept = [...old.slice(4), "new blob 01", "new blob 02", "new blob 03", "new blob 04"];
  expect((await readdir(dir)).sort()).toEqual(namesOf(kept));
});

test("what another process has used, removed or added since the folder was read counts when room is made", async () => {
  const old = Array.from({ length: 32 }, (_, i) => `old blob ${10 + i}`);
  await keepOld(old);
  const cache = new BlobCache({ dir, maxBytes: 11 * 33 });
  await put(cache, "new blob 01");
  await utimes(join(dir, refOf(old[0]!).sha256), 2_000, 2_000);
  await rm(join(dir, refOf(old[1]!).sha256));
  await put(cache, "new blob 02"); // the place of old[1] is enough
  expect((await readdir(dir)).sort()).toEqual(namesOf([old[0]!, ...old.slice(2), "new blob 01", "new blob 02"]));
  await keepOld(["other blob"]);
  await put(cache, "new blob 03"); // a place is needed, and what the other process added is not known
  const kept = (texts: readonly string[]) => namesOf([old[0]!, ...texts, "new blob 01", "new blob 02", "new blob 03"]);
  expect((await readdir(dir)).sort()).toEqual(kept([...old.slice(3), "other blob"]));
  await put(cache, "new blob 04"); // reads the folder again, which holds 10 bytes more
  expect((await readdir(dir)).sort()).toEqual(kept([...old.slice(4), "new blob 04"]));
});

test("a blob that is asked for twice at once is fetched once", async () => {
  const cache = new BlobCache({ dir });
  const fetch = vi.fn(async () => bytesOf("job"));
  const paths = await Promise.all([cache.pathOf(refOf("job"), fetch), cache.pathOf(refOf("job"), fetch)]);
  expect(paths).toEqual([join(dir, refOf("job").sha256), join(dir, refOf("job").sha256)]);
  expect(fetch).toHaveBeenCalledTimes(1);
});
