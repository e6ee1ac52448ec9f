import { describe, expect, test } from "vitest";
import { Hash128, hash128 } from "./hash128.js";

const counting = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7 + 1);

describe("hash128", () => {
  test("has the committed digits", () => {
    expect([0, 1, 63, 64, 65, 1_000].map((length) => hash128(counting(length)))).toMatchInlineSnapshot(`
      [
        "6ad99708b10ca1fdc10fdd284889475b",
        "35b336fff7bb8547c4bd8698b13b9168",
        "639c29f111d5115d6b899ef7911aefe3",
        "c57e9d8d685a1b17e719f401b356fb07",
        "a48a9c948b4e62601cc7ad6b187d33f6",
        "c718262c3d536625d344b3d8f4adedb5",
      ]
    `);
  });

  test("is the same however the bytes are cut", () => {
    const bytes = counting(300);
    for (const cut of [0, 1, 63, 64, 65, 128, 299]) {
      expect(hash128(bytes.subarray(0, cut), bytes.subarray(cut))).toBe(hash128(bytes));
    }
    const one = new Hash128();
    for (const byte of bytes) one.update(Uint8Array.of(byte));
    expect(one.digest()).toBe(hash128(bytes));
  });

  test("differs for every single flipped bit, for swapped stripes and for zeros at the end", () => {
    const bytes = counting(130);
    const seen = new Set([hash128(bytes)]);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      seen.add(hash128(flipped));
    }
    seen.add(hash128(bytes.subarray(64, 128), bytes.subarray(0, 64), bytes.subarray(128)));
    for (const zeros of [1, 2, 64]) seen.add(hash128(bytes, new Uint8Array(zeros)));
    expect(seen.size).toBe(8 * bytes.length + 5);
  });
});
