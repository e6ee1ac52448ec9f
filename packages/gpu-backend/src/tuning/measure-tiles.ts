/**
 * @file Times candidate tiles on a few products and makes a table of what was fastest. What times them is passed in (tile-timer.ts), so that this
 * file only decides what to time, and when to stop.
 */
import { type TileClass, type TileName, type TileTable, tileNames } from "./tile-table.js";

/** Milliseconds that one square product of `size` takes in a tile, warmed up, as the mean of `repeats` in a row. */
export type TimeTile = (tile: TileName, size: number, repeats: number) => Promise<number>;

export interface MeasureOptions {
  readonly nowMs: () => number;
  /** No timing begins that would not end within it, as far as those before it tell. Default 1,200. */
  readonly budgetMs?: number;
}

export interface TileTiming {
  readonly size: number;
  readonly tile: TileName;
  readonly ms: number;
}

export interface MeasuredTiles {
  /** Undefined where the budget did not suffice for a single size. */
  readonly tiles: TileTable | undefined;
  readonly timings: readonly TileTiming[];
}

/** What is timed first tells most: one size that is quick everywhere, then the one that takes longest in training, then a small one. */
const sizes = [1_024, 2_048, 256] as const;
/** Products of at least so many elements take the order of a size. */
const classOf: Readonly<Record<number, number>> = { 256: 0, 1024: 2 ** 18, 2048: 2 ** 21 };
const probeSize = 128;
/** A timing of this length is long enough. */
const enoughMs = 6;
const maxRepeats = 20;

/** Times every candidate at every size for which there is time; a size of which one is missing is left out. */
export async function measureTiles(
  time: TimeTile,
  { nowMs, budgetMs = 1_200 }: MeasureOptions,
): Promise<MeasuredTiles> {
  const startMs = nowMs();
  const timings: TileTiming[] = [];
  const classes: TileClass[] = [];
  // What tells how long the next size takes. At first a small product, so that a slow device is known at once.
  let slowest = { size: probeSize, ms: await time("32x32", probeSize, 1) };
  for (const size of sizes) {
    // Three runs: one to warm up, one to learn how long it takes, one to count.
    const expectedMs = 3 * slowest.ms * (size / slowest.size) ** 3;
    const found: TileTiming[] = [];
    for (const tile of tileNames) {
      if (nowMs() - startMs + expectedMs > budgetMs) return { tiles: tableOf(classes), timings };
      const firstMs = await time(tile, size, 1);
      const repeats = Math.min(maxRepeats, Math.max(1, Math.ceil(enoughMs / Math.max(firstMs, 1e-3))));
      const ms = repeats === 1 ? firstMs : await time(tile, size, repeats);
      found.push({ size, tile, ms });
    }
    if (size > slowest.size) slowest = { size, ms: Math.max(...found.map(({ ms }) => ms)) };
    timings.push(...found);
    found.sort((a, b) => a.ms - b.ms);
    classes.push({ minElements: classOf[size]!, order: found.map(({ tile }) => tile) });
  }
  return { tiles: tableOf(classes), timings };
}

/** The least of the classes serves everything below it. */
function tableOf(classes: readonly TileClass[]): TileTable | undefined {
  if (classes.length === 0) return undefined;
  const ascending = [...classes].sort((a, b) => a.minElements - b.minElements);
  return ascending.map((entry, i) => (i === 0 ? { ...entry, minElements: 0 } : entry));
}
