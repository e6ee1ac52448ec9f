/**
 * @file Stable sort along the middle of [outer, K, inner], and binary search in sorted rows.
 *
 * Numbers are compared as keys (order.ts), equal keys by their places, so the order is one and the same however it is found. Up to
 * `maxRanked` elements each count those before them. Longer columns are sorted in blocks, by a bitonic network in workgroup memory, and
 * runs are merged in pairs: an element's place in the merged run is its own place and how many of the other run come before it.
 */
import type { TensorView } from "@lockstep/core";
import type { GatherAxisView, KernelTable, SortOutputs } from "@lockstep/core/backend";
import { defineKernel, groupsOf, type KernelHost } from "../launch/kernel.js";
import { orderKeys } from "../math/order.js";

const maxRanked = 64;
/** Keys and places of 2,048 elements are 16 KiB of workgroup memory. */
const largeBlock = 2_048;
const smallBlock = 256;

const keyNames = ["floatKey", "descendingFloatKey", "integerKey", "descendingIntegerKey"] as const;
type KeyName = (typeof keyNames)[number];

function byKey<T>(make: (key: KeyName) => T): Readonly<Record<KeyName, T>> {
  return Object.fromEntries(keyNames.map((key) => [key, make(key)])) as Record<KeyName, T>;
}

const ranked = byKey((key) =>
  defineKernel({
    name: `sortRanked_${key}`,
    operands: { x: "read i32", values: "write i32", indices: "write i32" },
    params: { count: "u32", axisLength: "u32", inner: "u32", indexLength: "u32" },
    uses: [orderKeys],
    body: `
  if (item >= p.count) { return; }
  let i = item % p.inner;
  let k = (item / p.inner) % p.axisLength;
  let o = item / (p.inner * p.axisLength);
  let base = o * p.axisLength * p.inner + i;
  let word = x_at(item);
  let key = ${key}(word);
  var rank = 0u;
  for (var j = 0u; j < p.axisLength; j++) {
    let other = ${key}(x_at(base + j * p.inner));
    if (other < key || (other == key && j < k)) { rank++; }
  }
  if (rank >= p.indexLength) { return; }
  let to = (o * p.indexLength + rank) * p.inner + i;
  values_put(to, word);
  indices_put(to, i32(k));`,
  }),
);

/** A workgroup a block of a column: its keys and places in order, to [columns, K]. Constant SIZE: the block's length. */
const blocks = byKey((key) =>
  defineKernel({
    name: `sortBlocks_${key}`,
    operands: { x: "read i32", keys: "write i32", places: "write i32" },
    params: { numColumns: "u32", axisLength: "u32", inner: "u32", numBlocks: "u32" },
    uses: [orderKeys],
    declarations: "var<workgroup> blockKeys: array<u32, SIZE>;\nvar<workgroup> blockPlaces: array<u32, SIZE>;",
    body: `
  let column = min(group / p.numBlocks, p.numColumns - 1u);
  let first = (group % p.numBlocks) * SIZE;
  let count = min(SIZE, p.axisLength - first);
  let base = (column / p.inner) * p.axisLength * p.inner + column % p.inner;
  for (var i = lane; i < SIZE; i += 256u) {
    /* what lies past the column has the largest key and place, so it stays behind */
    blockKeys[i] = select(0xffffffffu, ${key}(x_at(base + (first + i) * p.inner)), i < count);
    blockPlaces[i] = first + i;
  }
  for (var width = 2u; width <= SIZE; width *= 2u) {
    for (var gap = width / 2u; gap > 0u; gap /= 2u) {
      workgroupBarrier();
      for (var pair = lane; pair < SIZE / 2u; pair += 256u) {
        let low = 2u * gap * (pair / gap) + pair % gap;
        let high = low + gap;
        let a = blockKeys[low];
        let b = blockKeys[high];
        let s = blockPlaces[low];
        let t = blockPlaces[high];
        let isAfter = a > b || (a == b && s > t);
        if (isAfter == ((low & width) == 0u)) {
          blockKeys[low] = b;
          blockKeys[high] = a;
          blockPlaces[low] = t;
          blockPlaces[high] = s;
        }
      }
    }
  }
  workgroupBarrier();
  if (group >= p.numColumns * p.numBlocks) { return; }
  for (var i = lane; i < count; i += 256u) {
    keys_put(column * p.axisLength + first + i, bitcast<i32>(blockKeys[i]));
    places_put(column * p.axisLength + first + i, bitcast<i32>(blockPlaces[i]));
  }`,
  }),
);

/** Pairs of runs become one each. Of a run only the first p.indexLength elements are in order and looked at. */
const merge = defineKernel({
  name: "sortMerge",
  operands: { keys: "read i32", places: "read i32", keysOut: "write i32", placesOut: "write i32" },
  params: { count: "u32", axisLength: "u32", indexLength: "u32", runLength: "u32" },
  body: `
  if (item >= p.count) { return; }
  let at = item % p.axisLength;
  let column = item - at;
  let first = at - at % (2u * p.runLength);
  let middle = min(first + p.runLength, p.axisLength);
  let isLeft = at < middle;
  let own = at - select(middle, first, isLeft);
  if (own >= p.indexLength) { return; }
  let key = bitcast<u32>(keys_at(item));
  var low = select(first, middle, isLeft);
  let otherEnd = select(middle, min(middle + p.runLength, p.axisLength), isLeft);
  var high = min(otherEnd, low + p.indexLength);
  let begin = low;
  while (low < high) {
    let half = (low + high) / 2u;
    let other = bitcast<u32>(keys_at(column + half));
    /* of equals the left ones come first */
    if (other < key || (other == key && !isLeft)) { low = half + 1u; } else { high = half; }
  }
  let place = own + (low - begin);
  if (place >= p.indexLength) { return; }
  keysOut_put(column + first + place, bitcast<i32>(key));
  placesOut_put(column + first + place, places_at(item));`,
});

const finish = defineKernel({
  name: "sortFinish",
  operands: { x: "read i32", places: "read i32", values: "write i32", indices: "write i32" },
  params: { count: "u32", axisLength: "u32", inner: "u32", indexLength: "u32" },
  body: `
  if (item >= p.count) { return; }
  let i = item % p.inner;
  let j = (item / p.inner) % p.indexLength;
  let o = item / (p.inner * p.indexLength);
  let place = places_at((o * p.inner + i) * p.axisLength + j);
  values_put(item, x_at((o * p.axisLength + bitcast<u32>(place)) * p.inner + i));
  indices_put(item, place);`,
});

interface SortRun {
  readonly key: KeyName;
  readonly view: GatherAxisView;
  readonly outputs: SortOutputs;
}

function keyName(dtype: TensorView["dtype"], isDescending: boolean): KeyName {
  return keyNames[(dtype === "f32" ? 0 : 2) + (isDescending ? 1 : 0)]!;
}

/** As the row `sort`. */
export function sortAxis(
  host: KernelHost,
  x: TensorView,
  { view, isDescending, outputs }: { view: GatherAxisView; isDescending: boolean; outputs: SortOutputs },
): void {
  const { outer, axisLength, inner, indexLength } = view;
  if (outer * inner * indexLength === 0) return;
  const key = keyName(x.dtype, isDescending);
  if (axisLength > maxRanked) {
    sortLong(host, x, { key, view, outputs });
    return;
  }
  const count = outer * axisLength * inner;
  host.launch(ranked[key], { x, ...outputs }, { count, axisLength, inner, indexLength }, { groups: groupsOf(count) });
}

function sortLong(host: KernelHost, x: TensorView, { key, view, outputs }: SortRun): void {
  const { outer, axisLength, inner, indexLength } = view;
  const numColumns = outer * inner;
  const total = numColumns * axisLength;
  const size = axisLength <= smallBlock ? smallBlock : largeBlock;
  const numBlocks = Math.ceil(axisLength / size);
  const numCopies = numBlocks > 1 ? 2 : 1;
  host.withTemporary([numCopies * total], "i32", (keys) => {
    host.withTemporary([numCopies * total], "i32", (places) => {
      const options = { groups: numColumns * numBlocks, constants: { SIZE: size } };
      host.launch(blocks[key], { x, keys, places }, { numColumns, axisLength, inner, numBlocks }, options);
      const half = (v: TensorView, which: number): TensorView => ({ ...v, offset: v.offset + which * total });
      let now = 0;
      for (let runLength = size; runLength < axisLength; runLength *= 2) {
        const pair = { keys: half(keys, now), places: half(places, now) };
        now = 1 - now;
        const merged = { keysOut: half(keys, now), placesOut: half(places, now) };
        const params = { count: total, axisLength, indexLength, runLength };
        host.launch(merge, { ...pair, ...merged }, params, { groups: groupsOf(total) });
      }
      const count = numColumns * indexLength;
      const operands = { x, places: half(places, now), ...outputs };
      host.launch(finish, operands, { count, axisLength, inner, indexLength }, { groups: groupsOf(count) });
    });
  });
}

const searches = (["floatKey", "integerKey"] as const).map((key) =>
  defineKernel({
    name: `searchSorted_${key}`,
    operands: { sorted: "read i32", values: "read i32", out: "write i32" },
    params: { count: "u32", length: "u32", width: "u32", isRight: "u32" },
    uses: [orderKeys],
    body: `
  if (item >= p.count) { return; }
  let key = ${key}(values_at(item));
  let row = (item / p.width) * p.length;
  var low = 0u;
  var high = p.length;
  while (low < high) {
    let half = (low + high) / 2u;
    let other = ${key}(sorted_at(row + half));
    if (other < key || (other == key && p.isRight == 1u)) { low = half + 1u; } else { high = half; }
  }
  out_put(item, i32(low));`,
  }),
);

export function sortRows(host: KernelHost) {
  return {
    sort(x: TensorView, view: GatherAxisView, isDescending: boolean, outputs: SortOutputs): void {
      sortAxis(host, x, { view, isDescending, outputs });
    },
    searchSorted(sorted: TensorView, values: TensorView, isRight: boolean, out: TensorView): void {
      const [numRows = 0, length = 0] = sorted.shape;
      const width = values.shape[1] ?? 0;
      const count = numRows * width;
      const kernel = searches[sorted.dtype === "f32" ? 0 : 1]!;
      const params = { count, length, width, isRight: isRight ? 1 : 0 };
      host.launch(kernel, { sorted, values, out }, params, { groups: groupsOf(count) });
    },
  } satisfies Partial<KernelTable>;
}
