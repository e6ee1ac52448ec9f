/** @file Training on navigator.gpu in a dedicated worker, and what a page must offer to a worker of a run. */
import { expect, test } from "vitest";
import type { Trained } from "./train-in-worker.js";

test("a dedicated worker trains", async () => {
  const worker = new Worker(new URL("./train-in-worker.ts", import.meta.url), { type: "module" });
  const { error, sums, norms, numericClass } = await new Promise<Trained>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data as Trained);
    worker.onerror = ({ message }) => resolve({ error: message });
  });
  worker.terminate();
  expect(error).toBeUndefined();
  expect(numericClass).toMatch(/^webgpu:/);
  expect(sums!.length).toBe(20);
  expect(sums![0]).toBeGreaterThan(2);
  expect(sums!.at(-1)).toBeLessThan(0.9 * sums![0]!);
  expect(norms!.length).toBe(20);
  expect(norms!.every((norm) => norm > 0 && norm < 10)).toBe(true);
});

test("a page may share memory between threads, and IndexedDB keeps bytes", async () => {
  expect(crossOriginIsolated).toBe(true);
  const opened = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open("lockstep-test", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("blobs");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const store = () => opened.transaction("blobs", "readwrite").objectStore("blobs");
  const settled = <T>(request: IDBRequest<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  await settled(store().put(Uint8Array.of(1, 2, 3), "a"));
  expect([...(await settled<Uint8Array>(store().get("a") as IDBRequest<Uint8Array>))]).toEqual([1, 2, 3]);
  opened.close();
  indexedDB.deleteDatabase("lockstep-test");
});
