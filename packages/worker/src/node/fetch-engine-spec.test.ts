import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlobRef, MessageBody } from "@lockstep/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BlobCache } from "./blob-cache.js";
import { fetchEngineSpec } from "./fetch-engine-spec.js";

let cacheDir: string;
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), "lockstep-fetch-"));
});
afterEach(() => rm(cacheDir, { recursive: true, force: true }));

/** Blobs of a coordinator that answers when it is told to, and knows what is asked for at once. */
class Coordinator {
  readonly #blobs = new Map<string, Uint8Array>();
  readonly #waiting: { readonly ref: BlobRef; readonly answer: () => void; readonly refuse: (error: Error) => void }[] =
    [];
  readonly underWay: { numBlobs: number; bytes: number }[] = [];

  offer(bytes: Uint8Array): BlobRef {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    this.#blobs.set(sha256, bytes);
    return { sha256, byteLength: bytes.byteLength };
  }

  fetchBlob(ref: BlobRef): Promise<Uint8Array> {
    const blob = new Promise<Uint8Array>((resolve, reject) => {
      this.#waiting.push({ ref, answer: () => resolve(this.#blobs.get(ref.sha256)!), refuse: reject });
    });
    const bytes = this.#waiting.reduce((sum, { ref }) => sum + ref.byteLength, 0);
    this.underWay.push({ numBlobs: this.#waiting.length, bytes });
    return blob;
  }

  /** Answers what waits, the last request first, until the work is done. */
  async answerUntil<Value>(work: Promise<Value>): Promise<Value> {
    let isDone = false;
    const end = () => {
      isDone = true;
    };
    work.then(end, end);
    while (!isDone) {
      this.#waiting.pop()?.answer();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return work;
  }

  refuseAll(): void {
    for (const { refuse } of this.#waiting.splice(0)) refuse(new Error("the channel is gone"));
  }

  get numWaiting(): number {
    return this.#waiting.length;
  }
}

function welcomeOf(coordinator: Coordinator, files: readonly Uint8Array[]): MessageBody<"welcome"> {
  return {
    jobBundle: coordinator.offer(new TextEncoder().encode("export default {};\n")),
    files: files.map((bytes, i) => ({ logicalName: "mails", path: `${i}.txt`, ...coordinator.offer(bytes) })),
    resume: { step: 7, files: [{ name: "model.safetensors", ...coordinator.offer(Uint8Array.of(7)) }] },
    initFrom: coordinator.offer(Uint8Array.of(8)),
    configJson: "{}",
    seed: 3,
    numeric: "strict",
    threads: 1,
  } as unknown as MessageBody<"welcome">;
}

const optionsOf = (coordinator: Coordinator) => ({
  workerId: "w-1",
  cache: new BlobCache({ dir: join(cacheDir, "blobs") }),
  control: coordinator,
  resolveRoom: (specifier: string) => specifier,
  cacheDir,
});

test("many small files are under way together, and each lies where the engine is told", async () => {
  const coordinator = new Coordinator();
  const contents = Array.from({ length: 200 }, (_, i) => `mail ${i % 150}`); // some are the same
  const files = contents.map((text) => new TextEncoder().encode(text));
  const spec = await coordinator.answerUntil(fetchEngineSpec(welcomeOf(coordinator, files), optionsOf(coordinator)));
  expect(Math.max(...coordinator.underWay.map(({ numBlobs }) => numBlobs))).toBe(32);
  expect(spec.files.map(({ path }) => path)).toEqual(contents.map((_, i) => `${i}.txt`));
  expect(await Promise.all(spec.files.map(({ diskPath }) => readFile(diskPath, "utf8")))).toEqual(contents);
  expect(spec.restore?.step).toBe(7);
  expect([...(await readFile(spec.restore!.files[0]!.diskPath))]).toEqual([7]);
  expect([...(await readFile(spec.initFrom!))]).toEqual([8]);
  expect(spec.moduleUrl).toMatch(/^file:/);
});

test("large files are fetched one at a time, with no more under way than 4 MiB beside them", async () => {
  const coordinator = new Coordinator();
  const files = [5, 1, 2, 1.5, 6, 0.5].map((size, i) => new Uint8Array(size * 2 ** 20).fill(i));
  await coordinator.answerUntil(fetchEngineSpec(welcomeOf(coordinator, files), optionsOf(coordinator)));
  for (const { numBlobs, bytes } of coordinator.underWay) if (numBlobs > 1) expect(bytes).toBeLessThanOrEqual(2 ** 22);
  expect(coordinator.underWay.filter(({ bytes }) => bytes > 2 ** 22)).toEqual([
    { numBlobs: 1, bytes: 5 * 2 ** 20 },
    { numBlobs: 1, bytes: 6 * 2 ** 20 },
  ]);
});

test("what ends the channel ends the fetching, and nothing more is asked for", async () => {
  const coordinator = new Coordinator();
  const files = Array.from({ length: 100 }, (_, i) => new TextEncoder().encode(`mail ${i}`));
  const work = fetchEngineSpec(welcomeOf(coordinator, files), optionsOf(coordinator));
  while (coordinator.numWaiting < 32) await new Promise((resolve) => setImmediate(resolve));
  coordinator.refuseAll();
  await expect(work).rejects.toThrow("the channel is gone");
  expect(coordinator.underWay.length).toBe(32);
});
