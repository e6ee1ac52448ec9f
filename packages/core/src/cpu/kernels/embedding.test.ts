import { describe, expect, test } from "vitest";
import { embeddingRoom } from "./embedding.js";
import { expectSameBits, hashOf, randomFloats } from "./measure.testkit.js";
import { createSoloHost } from "./solo-host.testkit.js";

const host = createSoloHost(embeddingRoom.kernels, "strict");
const kernels = embeddingRoom.rows(host);

interface Case {
  readonly vocab: number;
  readonly numIds: number;
  readonly length: number;
}
const cases: Case[] = [
  { vocab: 3, numIds: 17, length: 1 },
  { vocab: 65, numIds: 200, length: 32 },
  { vocab: 10, numIds: 40, length: 13 },
  { vocab: 1_000, numIds: 5, length: 7 },
  { vocab: 4, numIds: 0, length: 6 },
];

function idsOf(c: Case): Int32Array {
  return Int32Array.from({ length: c.numIds }, (_, n) => (n * n * 7 + 3) % c.vocab);
}

function run(c: Case): { out: Float32Array; dTable: Float32Array; table: Float32Array; dOut: Float32Array } {
  host.reset();
  const table = host.put(randomFloats(c.vocab * c.length, 1), [c.vocab, c.length]);
  const dOut = host.put(randomFloats(c.numIds * c.length, 2), [c.numIds, c.length]);
  const ids = host.put(idsOf(c));
  const out = host.put(new Float32Array(c.numIds * c.length + 8).fill(7));
  const dTable = host.put(new Float32Array(c.vocab * c.length + 8).fill(7));
  kernels.embedding(table, ids, { ...out, offset: 3, shape: [c.numIds, c.length] });
  kernels.embeddingBackward(dOut, ids, { ...dTable, offset: 3, shape: [c.vocab, c.length] });
  const inside = (view: typeof out): Float32Array => {
    const all = host.get(view) as Float32Array;
    expect([...all.subarray(0, 3), ...all.subarray(-5)]).toEqual(new Array(8).fill(7));
    return all.slice(3, -5);
  };
  const get = (view: typeof out): Float32Array => host.get(view) as Float32Array;
  return { out: inside(out), dTable: inside(dTable), table: get(table), dOut: get(dOut) };
}

describe("embedding", () => {
  test.each(cases)("copies the row of each id: %o", (c) => {
    const { out, table } = run(c);
    const expected = [...idsOf(c)].flatMap((id) => Array.from(table.subarray(id * c.length, (id + 1) * c.length)));
    expectSameBits(out, Float32Array.from(expected));
  });

  test.each(cases)("adds the gradients of one id in the order of its uses: %o", (c) => {
    const { dTable, dOut } = run(c);
    const expected = new Float32Array(c.vocab * c.length);
    idsOf(c).forEach((id, n) => {
      for (let j = 0; j < c.length; j++) expected[id * c.length + j]! += dOut[n * c.length + j]!;
    });
    expectSameBits(dTable, expected);
  });

  test("keeps its bits when the items are split, and its committed bits", () => {
    const c = { vocab: 30, numIds: 99, length: 45 };
    const whole = run(c);
    for (const parts of [2, 3, 5, 8]) {
      host.splitInto(parts);
      expectSameBits(run(c).out, whole.out);
      expectSameBits(run(c).dTable, whole.dTable);
    }
    host.splitInto(1);
    // A change of these is a change of numericsVersion.
    expect(`${hashOf(whole.out)} ${hashOf(whole.dTable)}`).toMatchInlineSnapshot(`"72377074c305de3b ee440476a2b33a8b"`);
  });
});
