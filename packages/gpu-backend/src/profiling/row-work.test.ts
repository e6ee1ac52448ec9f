import { type ElementwiseProgram, elementwiseProgram, expr, type TensorView } from "@lockstep/core";
import { contiguousStrides } from "@lockstep/core/backend";
import { expect, test } from "vitest";
import { workOfProgram, workOfRow } from "./row-work.js";

const view = (shape: readonly number[], strides = contiguousStrides(shape)): TensorView => {
  return { buffer: { byteLength: 0 }, offset: 0, shape, strides, dtype: "f32" };
};

test("a copy reads and writes what its views hold, and computes nothing", () => {
  expect(workOfRow("copy", [view([3, 5]), view([3, 5])])).toMatchObject({ flops: 0, readBytes: 60, writtenBytes: 60 });
  // A row that is repeated by a stride of 0 is read once.
  expect(workOfRow("copy", [view([3, 5], [0, 1]), view([3, 5])])).toMatchObject({ readBytes: 20, writtenBytes: 60 });
});

test("a product of M x K and K x N is 2 M K N operations, and M N more with a bias", () => {
  const [a, b, out] = [view([4, 7, 5]), view([4, 5, 3]), view([4, 7, 3])];
  const plain = { flops: 2 * 4 * 7 * 5 * 3, readBytes: 4 * 4 * (35 + 15), writtenBytes: 4 * 4 * 21 };
  expect(workOfRow("matmul", [a, b, out, {}])).toMatchObject(plain);
  expect(workOfRow("matmul", [a, b, out, { bias: view([3]) }])).toMatchObject({
    flops: plain.flops + 4 * 7 * 3,
    readBytes: plain.readBytes + 12,
  });
  // What it goes on from is read, too.
  const accumulating = workOfRow("matmul", [a, b, out, { accumulate: true }]);
  expect(accumulating).toMatchObject({ flops: plain.flops, readBytes: plain.readBytes + plain.writtenBytes });
});

test("attention counts the triangle that it sees", () => {
  const [B, H, T, D] = [2, 3, 5, 4];
  const [q, k, v, out, saved] = [
    view([B, H, T, D]),
    view([B, H, T, D]),
    view([B, H, T, D]),
    view([B, H, T, D]),
    view([B, H, T, T]),
  ];
  // 15 pairs of each head: two products of depth D, and five operations of the softmax.
  expect(workOfRow("causalAttention", [{ q, k, v }, 0.5, { out, saved }])).toMatchObject({
    flops: B * H * 15 * (2 * 2 * D + 5),
    readBytes: 4 * 3 * B * H * T * D,
    writtenBytes: 4 * B * H * (T * D + T * T),
  });
});

test("an embedding reads the rows that it takes, not its table", () => {
  const work = workOfRow("embedding", [view([1000, 8]), view([6]), view([6, 8])]);
  expect(work).toMatchObject({ flops: 0, readBytes: 4 * (6 + 48), writtenBytes: 4 * 48, isCounted: true });
});

test("a row that writes into one of its inputs counts it once as read and once as written", () => {
  const [left, right] = [view([9]), view([9])];
  expect(workOfRow("addInto", [left, right, left])).toMatchObject({ flops: 9, readBytes: 72, writtenBytes: 36 });
});

test("an element-wise program is its computing nodes times its elements, equal nodes once", () => {
  const [x, y] = [expr.input(0), expr.input(1)];
  const product = expr.mul(x, y);
  const program: ElementwiseProgram = elementwiseProgram("square", ["f32", "f32"], [expr.add(product, expr.mul(x, y))]);
  const work = workOfProgram(program, [{ inputs: [view([4, 6]), view([4, 6], [0, 1])], outputs: [view([4, 6])] }]);
  expect(work).toMatchObject({ flops: 2 * 24, readBytes: 4 * (24 + 6), writtenBytes: 4 * 24 });
});
