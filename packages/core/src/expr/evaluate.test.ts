import { describe, expect, test } from "vitest";
import { derivative } from "./derivative.js";
import { evaluateProgram } from "./evaluate.js";
import * as ex from "./expr.js";
import { hostErf } from "./host-math.js";
import { elementwiseProgram } from "./program.js";
import { inputsRead, rewrite } from "./rewrite.js";

const x = ex.input(0);

describe("evaluateProgram", () => {
  test("computes in f64, or rounds every node to f32", () => {
    const program = elementwiseProgram("third", ["f32"], [ex.mul(ex.div(x, 3), 3)]);
    expect(evaluateProgram(program, [[0.1]], [], 1)[0]![0]).toBe((0.1 / 3) * 3);
    const rounded = Math.fround(Math.fround(Math.fround(0.1) / 3) * 3);
    expect(evaluateProgram(program, [[0.1]], [], 1, { roundToF32: true })[0]![0]).toBe(rounded);
  });

  test("gives every output, scalars and masks included", () => {
    const s = ex.scalar(0);
    const program = elementwiseProgram("pair", ["f32"], [ex.select(ex.lt(x, s), x, s), ex.add(x, s)], 1);
    expect(evaluateProgram(program, [[1, 5]], [3], 2).map((values) => [...values])).toEqual([
      [1, 3],
      [4, 8],
    ]);
  });

  test("casts towards zero, saturates, and makes NaN 0", () => {
    const program = elementwiseProgram("cut", ["f32"], [ex.cast(x, "i32")]);
    expect([...evaluateProgram(program, [[-1.9, 3e9, Number.NaN]], [], 3)[0]!]).toEqual([-1, 2147483647, 0]);
  });
});

test("hostErf agrees with values of the tables", () => {
  expect(hostErf(0.5)).toBeCloseTo(0.5204998778130465, 15);
  expect(hostErf(-2)).toBeCloseTo(-0.9953222650189527, 15);
  expect(1 - hostErf(3.5)).toBeCloseTo(7.430983723414128e-7, 15);
});

describe("derivative", () => {
  const slope = (e: ex.Expr, at: number) => {
    const program = elementwiseProgram("slope", ["f32"], [derivative(e, 0)]);
    return evaluateProgram(program, [[at]], [], 1)[0]![0]!;
  };

  test("follows the chain rule through shared subexpressions", () => {
    const square = ex.mul(x, x);
    expect(slope(ex.mul(square, square), 3)).toBe(4 * 27);
    expect(slope(ex.div(ex.exp(x), x), 2)).toBeCloseTo((Math.exp(2) * (2 - 1)) / 4, 12);
  });

  test("gives each side of a tie one half, and the chosen branch of a select all", () => {
    expect(slope(ex.max(x, 1), 1)).toBe(0.5);
    expect(slope(ex.select(ex.le(x, 0), 0, x), 0)).toBe(0);
  });

  test("refers to the node itself where the rule does, so that a saved output can stand for it", () => {
    const y = ex.tanh(x);
    const viaOutput = rewrite(derivative(y, 0), (node) => (node === y ? ex.input(1) : undefined));
    expect(inputsRead([viaOutput])).toEqual([1]);
  });
});
