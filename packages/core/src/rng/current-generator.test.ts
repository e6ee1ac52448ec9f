import { expect, test } from "vitest";
import { currentGenerator, manualSeed, seedScope } from "./current-generator.js";

const draw = () => currentGenerator().nextWord();

test("seedScope gives the same numbers whatever was drawn before, and nests", () => {
  const first = seedScope(7, () => [draw(), seedScope(8, draw), draw()]);
  draw();
  expect(seedScope(7, () => [draw(), seedScope(8, draw), draw()])).toEqual(first);
  expect(seedScope(8, draw)).toBe(first[1]);
});

test("seedScope goes back to the outer generator when its callback throws", () => {
  manualSeed(1);
  const expected = draw();
  manualSeed(1);
  expect(() =>
    seedScope(2, () => {
      throw new Error("stop");
    }),
  ).toThrow("stop");
  expect(draw()).toBe(expected);
});

test("seedScope refuses a callback that returns a promise", () => {
  const message =
    "seedScope: the callback returned a promise; it must be synchronous. Await before or after it, not inside.";
  expect(() => seedScope(1, async () => draw())).toThrow(expect.objectContaining({ code: "E_ASYNC_SCOPE", message }));
});
