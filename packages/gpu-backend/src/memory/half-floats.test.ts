import { expect, test } from "vitest";
import { floatsOfHalves, halfBits, halfValue, halvesOf } from "./half-floats.js";

test("every binary16 is read, and written back to its own bits", () => {
  for (let bits = 0; bits < 65_536; bits++) {
    const value = halfValue(bits);
    if (Number.isNaN(value)) expect(halfBits(value)).toBe(0x7e00);
    else if (halfBits(value) !== bits) expect.fail(`${bits} is ${value}, and came back as ${halfBits(value)}`);
  }
  expect([0x3c00, 0xc000, 0x0001, 0x8400, 0x7bff, 0xfc00].map(halfValue)).toEqual([
    1,
    -2,
    2 ** -24,
    -(2 ** -14),
    65_504,
    Number.NEGATIVE_INFINITY,
  ]);
});

test("an f32 becomes the nearest binary16, ties to the even one, and an infinity from 65,520 on", () => {
  // Between each two neighbours: below the middle, the middle, above it.
  for (let bits = 0; bits < 0x7bff; bits += 7) {
    const [low, high] = [halfValue(bits), halfValue(bits + 1)];
    const middle = (low + high) / 2;
    const quarter = (high - low) / 4;
    expect([middle - quarter, middle, middle + quarter].map(halfBits)).toEqual([bits, bits + (bits % 2), bits + 1]);
  }
  const edges = [65_519.996, 65_520, -65_520, 3e38, 2 ** -25, 2 ** -25 + 2 ** -40, -1e-40, Number.NaN];
  expect(edges.map(halfBits)).toEqual([0x7bff, 0x7c00, 0xfc00, 0x7c00, 0, 1, 0x8000, 0x7e00]);
});

test("arrays are padded to whole words and read as they were rounded", () => {
  const halves = halvesOf(Float32Array.of(1 / 3, -0, 1e6));
  expect([...halves]).toEqual([0x3555, 0x8000, 0x7c00, 0]);
  expect([...floatsOfHalves(halves)]).toEqual([0.333251953125, -0, Number.POSITIVE_INFINITY, 0]);
});
