import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AdapterDescription } from "../device/open-device.js";
import { fileTuningStore } from "../node/file-tuning-store.js";
import { type DatabaseFactory, indexedDbTuningStore } from "./indexed-db-store.js";
import { type MeasuredTiles, measureTiles, type TimeTile } from "./measure-tiles.js";
import { defaultTiles, type TileName, tileFor, tileNames } from "./tile-table.js";
import { tilesFor, tuningKey } from "./tune.js";
import type { TuningStore } from "./tuning-store.js";

const names = { vendor: "acme", architecture: "a1", device: "card", description: "Acme Card, driver 7" };
const adapter: AdapterDescription = { ...names, isSoftware: false };

/** A device whose tiles take these milliseconds at 1,024; the clock moves by what is timed. */
function fakeDevice(msOf: Partial<Record<TileName, number>>, { compileMs = 0 } = {}) {
  const clock = { nowMs: 0 };
  const compiled = new Set<TileName>();
  const asked: string[] = [];
  const time: TimeTile = async (tile, size, repeats) => {
    asked.push(`${tile} ${size} x${repeats}`);
    const ms = (msOf[tile] ?? 50) * (size / 1_024) ** 3;
    if (!compiled.has(tile)) clock.nowMs += compileMs;
    compiled.add(tile);
    // A single run is warmed up by another.
    clock.nowMs += ms * (repeats === 1 ? 2 : repeats);
    return ms;
  };
  return { time, asked, nowMs: () => clock.nowMs };
}

function memoryStore(texts: Record<string, string> = {}): TuningStore & { readonly texts: Record<string, string> } {
  return {
    texts,
    read: async (key) => texts[key],
    write: async (key, text) => {
      texts[key] = text;
    },
  };
}

const square = (size: number) => ({ rows: size, columns: size, numMatrices: 1 });

test("the fastest tile of each size is taken for products as large, and the next one where it would stand empty", async () => {
  const device = fakeDevice({ "128x64": 1, "64x64": 2, "32x32": 3, "64x64 in blocks of 8": 4, "128x128": 5 });
  const { tiles, timings } = await measureTiles(device.time, device);
  expect(timings.length).toBe(3 * tileNames.length);
  expect(tiles?.map(({ minElements }) => minElements)).toEqual([0, 2 ** 18, 2 ** 21]);
  expect([2_048, 64, 40].map((size) => tileFor(tiles!, square(size)))).toEqual(["128x64", "64x64", "32x32"]);
  // 6 ms are enough: 1 ms six times, a 64th of it as often as is sensible.
  expect(device.asked).toContain("128x64 1024 x6");
  expect(device.asked).toContain("128x64 256 x20");
});

test("a slow device is not measured for longer than the budget: what is not complete is left out", async () => {
  const slow = fakeDevice({ "128x128": 20, "128x64": 20, "64x64": 20, "64x64 in blocks of 8": 20, "32x32": 30 });
  const measured = await measureTiles(slow.time, { ...slow, budgetMs: 500 });
  expect(slow.nowMs()).toBeLessThan(500);
  expect(measured.tiles?.map(({ minElements }) => minElements)).toEqual([0]);
  expect(measured.tiles?.[0]?.order.at(-1)).toBe("32x32");
  expect(slow.asked.some((line) => line.includes("2048"))).toBe(false);
  const hopeless = fakeDevice(Object.fromEntries(tileNames.map((tile) => [tile, 5_000])));
  expect((await measureTiles(hopeless.time, hopeless)).tiles).toBeUndefined();
  expect([hopeless.asked, hopeless.nowMs() < 30]).toEqual([["32x32 128 x1"], true]);
  const compiling = fakeDevice({}, { compileMs: 400 });
  const none = await measureTiles(compiling.time, compiling);
  expect([none.tiles, compiling.nowMs() < 2_000]).toEqual([undefined, true]);
});

const measured: MeasuredTiles = { tiles: [{ minElements: 0, order: ["128x64", "32x32"] }], timings: [] };

/** tilesFor with a store, and what came of it. */
async function tuned(
  store: TuningStore,
  options: { readonly isSoftware?: boolean; readonly onSoftware?: boolean } = {},
) {
  const lines: string[] = [];
  let numMeasured = 0;
  const measure = async (): Promise<MeasuredTiles> => {
    numMeasured++;
    return measured;
  };
  const { isSoftware = false, onSoftware = false } = options;
  const tiles = await tilesFor(
    { adapter: { ...adapter, isSoftware }, measure },
    { store, nowMs: () => 5, log: (line) => lines.push(line), onSoftware },
  );
  return { tiles, lines, numMeasured };
}

test("an adapter is measured once, which is told; then the store has it, for this driver alone", async () => {
  const store = memoryStore();
  const first = await tuned(store);
  expect(first).toMatchObject({ tiles: measured.tiles, numMeasured: 1 });
  expect(first.lines).toEqual([
    'webgpu: measured the tiles of products on "Acme Card, driver 7" in 0 ms; kept for the next start. Results do not change.',
  ]);
  expect(await tuned(store)).toEqual({ tiles: measured.tiles, lines: [], numMeasured: 0 });
  expect(Object.keys(store.texts)).toEqual([tuningKey(adapter)]);
  expect(tuningKey({ ...adapter, description: "Acme Card, driver 8" })).not.toBe(tuningKey(adapter));
  expect(tuningKey(adapter, "Browser 5")).not.toBe(tuningKey(adapter));
});

test("an adapter that computes on the CPU is measured when asked for", async () => {
  const store = memoryStore();
  expect(await tuned(store, { isSoftware: true })).toEqual({ tiles: undefined, lines: [], numMeasured: 0 });
  expect((await tuned(store, { isSoftware: true, onSoftware: true })).numMeasured).toBe(1);
});

test.each([
  ["no JSON", "{", /not used: no JSON \(/],
  ["JSON of nothing", "null", /they are of undefined, and must be of "tiles\|v1\|acme/],
  ["of another adapter", JSON.stringify({ key: "tiles|v0", tiles: measured.tiles }), /they are of "tiles\|v0"/],
  ["no table", JSON.stringify({ key: tuningKey(adapter), tiles: [{ order: 5 }] }), /they are no table of tiles/],
])("a text that is %s is told of, measured again and replaced", async (_, text, line) => {
  const store = memoryStore({ [tuningKey(adapter)]: text });
  const found = await tuned(store);
  expect(found).toMatchObject({ tiles: measured.tiles, numMeasured: 1 });
  expect(found.lines[0]).toMatch(line);
  expect((await tuned(store)).numMeasured).toBe(0);
});

test("a store that fails costs a line each time, and nothing else", async () => {
  const failing: TuningStore = {
    read: () => Promise.reject(new Error("no disk")),
    write: () => Promise.reject(new Error("disk full")),
  };
  const { tiles, lines } = await tuned(failing);
  expect(tiles).toEqual(measured.tiles);
  expect([lines[0], lines[2]]).toEqual([
    'webgpu: the tiles kept for "Acme Card, driver 7" cannot be read: no disk',
    'webgpu: the tiles measured on "Acme Card, driver 7" cannot be kept: disk full',
  ]);
});

test("measuring that was given up is not begun again: the default tiles are kept", async () => {
  const lines: string[] = [];
  let numMeasured = 0;
  const measure = async (): Promise<MeasuredTiles> => {
    numMeasured++;
    return { tiles: undefined, timings: [] };
  };
  const options = { store: memoryStore(), nowMs: () => 0, log: (line: string) => lines.push(line) };
  expect(await tilesFor({ adapter, measure }, options)).toBeUndefined();
  expect(await tilesFor({ adapter, measure }, options)).toEqual(defaultTiles);
  expect([numMeasured, lines.length]).toEqual([1, 1]);
  expect(lines[0]).toContain("was given up after 0 ms; the default ones are kept.");
});

test("measuring that fails leaves the default tiles", async () => {
  const lines: string[] = [];
  const measure = () => Promise.reject(new Error("out of memory"));
  const options = { store: memoryStore(), nowMs: () => 0, log: (line: string) => lines.push(line) };
  expect(await tilesFor({ adapter, measure }, options)).toBeUndefined();
  expect(lines).toEqual(['webgpu: the tiles of products cannot be measured on "Acme Card, driver 7": out of memory']);
});

test("files keep texts by key, in a folder that is made; a damaged one is read as it is", async () => {
  const folder = join(mkdtempSync(join(tmpdir(), "tuning-")), "made", "later");
  const store = fileTuningStore(folder);
  expect(await store.read("a|b")).toBeUndefined();
  await store.write("a|b", "one");
  await store.write("a|c", "two");
  expect([await store.read("a|b"), await store.read("a|c"), readdirSync(folder).sort()]).toEqual([
    "one",
    "two",
    ["a_b.json", "a_c.json"],
  ]);
  writeFileSync(join(folder, "a_b.json"), "");
  expect(await store.read("a|b")).toBe("");
  await expect(fileTuningStore(join(folder, "a_b.json")).write("x", "y")).rejects.toThrow(/EEXIST|ENOTDIR/);
});

/** IndexedDB of one database, as far as a store needs it: every request answers in a later turn. */
function fakeIndexedDb(): DatabaseFactory & { readonly opened: string[] } {
  const opened: string[] = [];
  const objects = new Map<string, Map<string, string>>();
  const request = <T>(result: () => T, events: readonly string[] = ["success"]) => {
    const target = Object.assign(new EventTarget(), { result: undefined as unknown as T, error: undefined as unknown });
    queueMicrotask(() => {
      try {
        target.result = result();
        for (const event of events) target.dispatchEvent(new Event(event));
      } catch (error) {
        target.error = error;
        target.dispatchEvent(new Event("error"));
      }
    });
    return target;
  };
  const database = {
    createObjectStore: (name: string) => objects.set(name, new Map()),
    transaction: (_: string, mode: string) => ({
      objectStore: (name: string) => ({
        get: (key: string) => request(() => objects.get(name)!.get(key)),
        put: (value: string, key: string) =>
          request(() => {
            if (mode !== "readwrite") throw new Error("ReadOnlyError");
            objects.get(name)!.set(key, value);
          }),
      }),
    }),
    close: () => opened.push("closed"),
  };
  const open = (name: string) => {
    const events = opened.includes(name) ? ["success"] : ["upgradeneeded", "success"];
    opened.push(name);
    return request(() => database, events);
  };
  return { open, opened };
}

test("IndexedDB keeps texts by key, and every database that is opened is closed", async () => {
  const factory = fakeIndexedDb();
  const store = indexedDbTuningStore(factory);
  expect(await store.read("a|b")).toBeUndefined();
  await store.write("a|b", "one");
  expect([await store.read("a|b"), await store.read("b")]).toEqual(["one", undefined]);
  expect(factory.opened.filter((name) => name === "closed").length).toBe(4);
});

test("IndexedDB that refuses rejects with its reason", async () => {
  const refusing = Object.assign(new EventTarget(), { result: undefined as never, error: new Error("denied") });
  const store = indexedDbTuningStore({ open: () => refusing });
  const reading = store.read("a");
  refusing.dispatchEvent(new Event("error"));
  await expect(reading).rejects.toThrow("denied");
});
