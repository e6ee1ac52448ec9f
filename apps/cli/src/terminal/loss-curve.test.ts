import { expect, test } from "vitest";
import { drawLossCurve } from "./loss-curve.js";

test("draws train and held-out losses on one scale", () => {
  const train = Array.from({ length: 21 }, (_, step) => ({ step, loss: 4 - step * 0.1 }));
  const curve = drawLossCurve(train, [{ step: 20, loss: 2.5 }], { width: 21, height: 5 });
  expect(`\n${curve}\n`).toMatchInlineSnapshot(`
    "
       4.000 |***
             |   *****
       3.000 |        *****
             |             *****  o
       2.000 |                  ***
             +---------------------
              step 0* train  o held out      20
    "
  `);
});

test("a single step is no curve", () => {
  expect(drawLossCurve([{ step: 1, loss: 2 }], [])).toBe("");
});

test("a constant loss stays on one row", () => {
  const train = [1, 2, 3].map((step) => ({ step, loss: 1 }));
  const rows = drawLossCurve(train, [], { width: 5, height: 3 })
    .split("\n")
    .filter((row) => row.includes("|*"));
  expect(rows).toEqual(["   1.000 |* * *"]);
});
