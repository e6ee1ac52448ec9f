import { createCpuBackend, tensor, withBackend } from "@lockstep/core";
import { afterAll, expect, test } from "vitest";
import { inputSignature } from "./input-signature.js";

const backend = createCpuBackend();
afterAll(() => backend.dispose());

const of = (input: unknown) => inputSignature(input, () => "somewhere");
const numbers = (...values: number[]) => withBackend(backend, () => tensor(values));

test("tensors count by their layout, everything else by its value", () => {
  const plain = of({ x: numbers(1, 2), name: "a", lengths: [3, 4] });
  expect(of({ x: numbers(8, 9), name: "a", lengths: [3, 4] })).toBe(plain);
  expect(of({ x: numbers(8, 9, 7), name: "a", lengths: [3, 4] })).not.toBe(plain);
  expect(of({ x: numbers(1, 2), name: "b", lengths: [3, 4] })).not.toBe(plain);
  expect(of({ x: numbers(1, 2), name: "a", lengths: [3, 5] })).not.toBe(plain);
  expect(of({ y: numbers(1, 2), name: "a", lengths: [3, 4] })).not.toBe(plain);
});

test("a view, another buffer, and numbers in an array of their own are told apart", () => {
  const x = withBackend(backend, () => tensor([1, 2, 3, 4], { shape: [2, 2] }));
  expect(of(x.transpose(0, 1))).not.toBe(of(x));
  expect(inputSignature(x, () => "here")).not.toBe(inputSignature(x, () => "there"));
  expect(of(Int32Array.of(1, 2))).not.toBe(of(Int32Array.of(1, 3)));
  expect(of(new Map([["k", 1]]))).not.toBe(of(new Map([["k", 2]])));
  expect(of("1")).not.toBe(of(1));
});

test("functions and very much plain data cannot be compared", () => {
  expect(of({ x: numbers(1), f: () => 0 })).toBeUndefined();
  expect(of(new Int32Array(100_000))).toBeUndefined();
});
