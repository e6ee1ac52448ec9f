import { expect, test } from "vitest";
import { moduleText, planBindings } from "./module-text.js";

const kernel = {
  name: "fours",
  operands: { x: "read vec4f", y: "read i32", out: "write vec4f" },
  params: {},
  body: "out_put4(item, x_at4(item));",
} as const;

test("an operand of fours alone in its buffer is bound as fours", () => {
  const plan = planBindings(kernel.operands, [1, 2, 3]);
  expect(plan.bindings.map(({ type }) => type)).toEqual(["vec4f", "i32", "vec4f"]);
  const text = moduleText(kernel, plan);
  expect(text).toContain("var<storage, read_write> b2: array<vec4f>;");
  expect(text).toContain("fn x_at4(i: u32) -> vec4f { let at = p.x_offset / 4u + i; return b0[at]; }");
  expect(text).toContain("fn out_put4(i: u32, value: vec4f) { let at = p.out_offset / 4u + i; b2[at] = value; }");
});

test("operands of fours beside one of single words are read and written word by word", () => {
  const plan = planBindings(kernel.operands, [1, 1, 1]);
  expect(plan.bindings).toEqual([{ type: "i32", isWritten: true, isHalf: false }]);
  const text = moduleText(kernel, plan);
  expect(text).toContain(
    "let at = p.x_offset + 4u * i; return vec4f(bitcast<f32>(b0[at + 0u]), bitcast<f32>(b0[at + 1u])",
  );
  expect(text).toContain("b0[at + 3u] = bitcast<i32>(value[3]);");
});
