import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlobRef } from "@lockstep/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BlobCache } from "./blob-cache.js";

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
