/**
 * @file Which tiles a backend computes products in: what a store has for this adapter, driver and version of the kernels, else measured once
 * and stored. Whatever goes wrong with a store is told and no error: the default tiles are right, and so are the bits of any.
 */
import { adapterName } from "../device/adapter-name.js";
import type { AdapterDescription } from "../device/open-device.js";
import { type MeasuredTiles, measureTiles } from "./measure-tiles.js";
import { defaultTiles, isTileTable, type TileTable } from "./tile-table.js";
import { type TimedBackend, tileTimer } from "./tile-timer.js";
import type { TuningStore } from "./tuning-store.js";

/** Raised when kernels or candidates change so that old figures mislead. */
const kernelVersion = 1;

export interface TuningOptions {
  readonly store: TuningStore;
  readonly nowMs: () => number;
  /** Told that measuring took place, and of a store that cannot be used: one line each. */
  readonly log: (line: string) => void;
  /** What runs WebGPU where adapters do not name their driver, such as a browser's version: part of the key. */
  readonly runtime?: string;
  /** Measure on an adapter that computes on the CPU, too. Default false. */
  readonly onSoftware?: boolean;
}

/** What is stored. */
interface TuningRecord {
  readonly key: string;
  readonly tiles: TileTable;
  /** Of which the table was made, for the reader. */
  readonly timings: MeasuredTiles["timings"];
}

export function tuningKey({ vendor, architecture, device, description }: AdapterDescription, runtime = ""): string {
  return ["tiles", `v${kernelVersion}`, vendor, architecture, device, description, runtime].join("|");
}

/** @internal What is tuned, and how: exported for its test. */
export interface Tuned {
  readonly adapter: AdapterDescription;
  readonly measure: () => Promise<MeasuredTiles>;
}

/** The table for an adapter; undefined where the default serves. */
export async function tilesFor({ adapter, measure }: Tuned, options: TuningOptions): Promise<TileTable | undefined> {
  if (adapter.isSoftware && options.onSoftware !== true) return undefined;
  const { store, nowMs, log } = options;
  const key = tuningKey(adapter, options.runtime);
  const name = adapterName(adapter);
  const failing = (what: string) => (error: unknown) => {
    log(`webgpu: ${what}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  };
  const text = await store.read(key).catch(failing(`the tiles kept for "${name}" cannot be read`));
  if (text !== undefined) {
    const found = parsedTiles(text, key);
    if (found.tiles !== undefined) return found.tiles;
    log(`webgpu: the tiles kept for "${name}" are not used: ${found.reason}. They are measured again.`);
  }
  const startMs = nowMs();
  const measured = await measure().catch(failing(`the tiles of products cannot be measured on "${name}"`));
  if (measured === undefined) return undefined;
  const { tiles, timings } = measured;
  const took = `${Math.round(nowMs() - startMs)} ms`;
  log(
    tiles === undefined
      ? `webgpu: measuring the tiles of products on "${name}" was given up after ${took}; the default ones are kept. Results do not change.`
      : `webgpu: measured the tiles of products on "${name}" in ${took}; kept for the next start. Results do not change.`,
  );
  // What was given up once takes too long the next time, too.
  const record: TuningRecord = { key, tiles: tiles ?? defaultTiles, timings };
  await store.write(key, JSON.stringify(record)).catch(failing(`the tiles measured on "${name}" cannot be kept`));
  return tiles;
}

function parsedTiles(text: string, key: string): { readonly tiles?: TileTable; readonly reason?: string } {
  let record: Partial<TuningRecord> | null;
  try {
    record = JSON.parse(text) as Partial<TuningRecord> | null;
  } catch (error) {
    return { reason: `no JSON (${(error as Error).message})` };
  }
  if (record?.key !== key) return { reason: `they are of ${JSON.stringify(record?.key)}, and must be of "${key}"` };
  const { tiles } = record;
  return isTileTable(tiles) ? { tiles } : { reason: "they are no table of tiles" };
}

/** Gives `backend` the tiles for its adapter. */
export async function tuneTiles(
  backend: TimedBackend & { readonly adapter: AdapterDescription; readonly features: ReadonlySet<string> },
  device: GPUDevice,
  options: TuningOptions,
): Promise<void> {
  const measure = async (): Promise<MeasuredTiles> => {
    const { nowMs } = options;
    const timer = tileTimer(backend, { device, hasTimestamps: backend.features.has("timestamp-query"), nowMs });
    try {
      return await measureTiles(timer.time, { nowMs });
    } finally {
      timer.dispose();
      backend.trim();
    }
  };
  const tiles = await tilesFor({ adapter: backend.adapter, measure }, options);
  if (tiles !== undefined) backend.choose({ tiles });
}
