import { indexedDbTuningStore } from "@lockstep/gpu-backend";
import { expect, test } from "vitest";

test.runIf("indexedDB" in globalThis)(
  "IndexedDB keeps what was measured on an adapter, for every store on it",
  async () => {
    const store = indexedDbTuningStore(indexedDB);
    expect(await store.read("a|b")).toBeUndefined();
    await store.write("a|b", "one");
    await store.write("a|b", "two");
    const again = indexedDbTuningStore(indexedDB);
    expect([await store.read("a|b"), await again.read("a|b"), await again.read("c")]).toEqual([
      "two",
      "two",
      undefined,
    ]);
    indexedDB.deleteDatabase("lockstep-webgpu");
  },
);
