import { expect, test } from "vitest";
import { renameWeights } from "./weight-names.js";

test("renameWeights renames, leaves out, and keeps the order", () => {
  const renamed = renameWeights(
    [
      ["wte", 1],
      ["mask", 2],
      ["wpe", 3],
    ],
    (name) => ({ wte: "tokenEmbedding.weight", wpe: "positionEmbedding.weight" })[name],
  );
  expect([...renamed]).toEqual([
    ["tokenEmbedding.weight", 1],
    ["positionEmbedding.weight", 3],
  ]);
});

test("renameWeights refuses a mapping that sends two names to one", () => {
  const message = 'renameWeights: "a" and "b" both become "x"; names must stay unique. Correct the mapping.';
  expect(() =>
    renameWeights(
      [
        ["a", 1],
        ["b", 2],
      ],
      () => "x",
    ),
  ).toThrow(expect.objectContaining({ code: "E_WEIGHT_NAME", message }));
});
