/** @file A TuningStore in a browser: an object store of IndexedDB, in a page and in a worker. */
import type { TuningStore } from "./tuning-store.js";

const databaseName = "lockstep-webgpu";
const storeName = "tuning";

/** What is used of a browser's IDBRequest. */
export interface DatabaseRequest<T> {
  readonly result: T;
  readonly error: unknown;
  addEventListener(type: "success" | "error" | "upgradeneeded", listener: () => void): void;
}

/** Of IDBObjectStore. */
export interface DatabaseObjects {
  get(key: string): DatabaseRequest<unknown>;
  put(value: string, key: string): DatabaseRequest<unknown>;
}

/** Of IDBDatabase. */
export interface TextDatabase {
  createObjectStore(name: string): unknown;
  transaction(name: string, mode: "readonly" | "readwrite"): { objectStore(name: string): DatabaseObjects };
  close(): void;
}

/** Of IDBFactory: packages are compiled without a browser's types. */
export interface DatabaseFactory {
  open(name: string, version: number): DatabaseRequest<TextDatabase>;
}

/** @param indexedDB `globalThis.indexedDB`. Reads and writes reject with what it reports, as where a browser keeps nothing. */
export function indexedDbTuningStore(indexedDB: DatabaseFactory): TuningStore {
  const within = async (
    mode: "readonly" | "readwrite",
    act: (objects: DatabaseObjects) => DatabaseRequest<unknown>,
  ): Promise<unknown> => {
    const opening = indexedDB.open(databaseName, 1);
    opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore(storeName));
    const database = await resultOf(opening);
    try {
      return await resultOf(act(database.transaction(storeName, mode).objectStore(storeName)));
    } finally {
      database.close();
    }
  };
  return {
    read: async (key) => {
      const found = await within("readonly", (objects) => objects.get(key));
      return typeof found === "string" ? found : undefined;
    },
    write: async (key, text) => {
      await within("readwrite", (objects) => objects.put(text, key));
    },
  };
}

function resultOf<T>(request: DatabaseRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}
