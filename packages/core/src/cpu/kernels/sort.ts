/**
 * @file Stable sort along the middle of [outer, K, inner], and binary search in sorted rows. Loops on the calling thread.
 *
 * Numbers become unsigned keys whose order is theirs: -0 and +0 share one, every NaN has the largest. Short columns, and the
 * first few of long ones, are sorted by insertion, others by radix, lowest digits first.
 */
import type { TensorView } from "../../backend/backend.js";
import type { GatherAxisView, KernelTable, SortOutputs } from "../../backend/kernel-table.js";
import type { KernelHost, KernelRoom } from "../kernel.js";

const maxInsertionLength = 48;
/** From here on three passes over digits of 11 bits beat four of 8. */
const minWideDigits = 4_096;
const signBit = 0x80000000;
const infinityBits = 0x7f800000;
const nanKey = 0xffffffff;

/** Keys and places of one column, and the other half of a radix pass. */
class Column {
  keys: Uint32Array;
  places: Uint32Array;
  #otherKeys: Uint32Array;
  #otherPlaces: Uint32Array;
  readonly #counts: Uint32Array;
  readonly #digitBits: number;

  constructor(length: number) {
    [this.keys, this.places, this.#otherKeys, this.#otherPlaces] = Array.from(
      { length: 4 },
      () => new Uint32Array(length),
    ) as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
    this.#digitBits = length < minWideDigits ? 8 : 11;
    this.#counts = new Uint32Array(1 << this.#digitBits);
  }

  /** Puts the first `count` in order in front; the rest is in any order. */
  sort(count: number): void {
    const { length } = this.keys;
    if (length <= maxInsertionLength || (count <= maxInsertionLength && 16 * count <= length)) this.#insert(count);
    else for (let shift = 0; shift < 32; shift += this.#digitBits) this.#pass(shift);
  }

  #insert(count: number): void {
    const { keys, places } = this;
    for (let i = 1; i < keys.length; i++) {
      const key = keys[i]!;
      if (i >= count && keys[count - 1]! <= key) continue;
      const place = places[i]!;
      let at = Math.min(i, count - 1);
      for (; at > 0 && keys[at - 1]! > key; at--) {
        keys[at] = keys[at - 1]!;
        places[at] = places[at - 1]!;
      }
      keys[at] = key;
      places[at] = place;
    }
  }

  #pass(shift: number): void {
    const { keys, places } = this;
    const counts = this.#counts;
    const mask = counts.length - 1;
    counts.fill(0);
    for (let i = 0; i < keys.length; i++) counts[(keys[i]! >>> shift) & mask]!++;
    let start = 0;
    for (let digit = 0; digit <= mask; digit++) {
      const count = counts[digit]!;
      // All keys have this digit: nothing would move.
      if (count === keys.length) return;
      counts[digit] = start;
      start += count;
    }
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      const to = counts[(key >>> shift) & mask]!++;
      this.#otherKeys[to] = key;
      this.#otherPlaces[to] = places[i]!;
    }
    [this.keys, this.#otherKeys] = [this.#otherKeys, keys];
    [this.places, this.#otherPlaces] = [this.#otherPlaces, places];
  }
}

/** Unsigned order of the key = ascending order of the f32 with these bits. */
function floatKey(bits: number): number {
  if ((bits & 0x7fffffff) > infinityBits) return nanKey;
  if (bits >= 0) return (bits | signBit) >>> 0;
  return bits === -signBit ? signBit : ~bits >>> 0;
}

function sort(
  host: KernelHost,
  x: TensorView,
  run: { view: GatherAxisView; isDescending: boolean; outputs: SortOutputs },
): void {
  const { outer, axisLength, inner, indexLength } = run.view;
  if (outer * inner * indexLength === 0) return;
  const { i32 } = host.words();
  const from = host.addressOf(x) / 4;
  const [values, indices] = [host.addressOf(run.outputs.values) / 4, host.addressOf(run.outputs.indices) / 4];
  const isFloat = x.dtype === "f32";
  const column = new Column(axisLength);
  for (let c = 0; c < outer * inner; c++) {
    const o = Math.floor(c / inner);
    const first = o * axisLength * inner + (c - o * inner);
    for (let k = 0; k < axisLength; k++) {
      const bits = i32[from + first + k * inner]!;
      const key = isFloat ? floatKey(bits) : (bits ^ signBit) >>> 0;
      column.keys[k] = run.isDescending && !(isFloat && key === nanKey) ? ~key : key;
      column.places[k] = k;
    }
    column.sort(indexLength);
    const firstOut = o * indexLength * inner + (c - o * inner);
    for (let k = 0; k < indexLength; k++) {
      const place = column.places[k]!;
      i32[values + firstOut + k * inner] = i32[from + first + place * inner]!;
      i32[indices + firstOut + k * inner] = place;
    }
  }
}

/** NaN is larger than everything. */
function isBelow(a: number, b: number): boolean {
  return a < b || (Number.isNaN(b) && !Number.isNaN(a));
}

function searchSorted(
  host: KernelHost,
  sorted: TensorView,
  run: { values: TensorView; isRight: boolean; out: TensorView },
): void {
  const [rows = 0, length = 0] = sorted.shape;
  const width = run.values.shape[1] ?? 0;
  const words = host.words();
  const elements = sorted.dtype === "f32" ? words.f32 : words.i32;
  const [from, wanted, out] = [sorted, run.values, run.out].map((view) => host.addressOf(view) / 4) as [
    number,
    number,
    number,
  ];
  for (let i = 0; i < rows * width; i++) {
    const value = elements[wanted + i]!;
    const row = from + Math.floor(i / width) * length;
    let low = 0;
    let high = length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const element = elements[row + middle]!;
      if (run.isRight ? !isBelow(value, element) : isBelow(element, value)) low = middle + 1;
      else high = middle;
    }
    words.i32[out + i] = low;
  }
}

export const sortRoom: KernelRoom<Pick<KernelTable, "sort" | "searchSorted">> = {
  kernels: [],
  rows: (host) => ({
    sort: (x, view, isDescending, outputs) => sort(host, x, { view, isDescending, outputs }),
    searchSorted: (sorted, values, isRight, out) => searchSorted(host, sorted, { values, isRight, out }),
  }),
};
