/** @file A TuningStore in Node: one file a key. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TuningStore } from "../tuning/tuning-store.js";

/** @param folder made when it is first written to. Its files may be deleted at any time. */
export function fileTuningStore(folder: string): TuningStore {
  const pathOf = (key: string): string => join(folder, `${key.replaceAll(/[^\w.-]+/g, "_").slice(0, 180)}.json`);
  return {
    read: async (key) => {
      try {
        return await readFile(pathOf(key), "utf8");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    },
    write: async (key, text) => {
      await mkdir(folder, { recursive: true });
      // Written beside and renamed, so that nobody reads half a file.
      const path = pathOf(key);
      const unfinished = `${path}.${process.pid}`;
      await writeFile(unfinished, text);
      await rename(unfinished, path);
    },
  };
}
