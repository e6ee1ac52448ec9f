/** @file copy, fill and addInto: one invocation an element. */
import type { TensorView } from "@lockstep/core";
import { collapseDims, contiguousStrides, numElements } from "@lockstep/core/backend";
import { defineKernel, groupsOf, type KernelHost, type WgslKernel } from "../launch/kernel.js";

/** Words are copied as they are, whatever their dtype. */
function copyKernel(rank: number): WgslKernel {
  const params: Record<string, "u32"> = { count: "u32" };
  for (let dim = 0; dim < rank; dim++)
    Object.assign(params, { [`size${dim}`]: "u32", [`s${dim}`]: "u32", [`d${dim}`]: "u32" });
  const lines = ["if (item >= p.count) { return; }", "var rest = item;", "var start = 0u;", "var goal = 0u;"];
  for (let dim = rank - 1; dim >= 0; dim--) {
    const at = dim === 0 ? "rest" : `(rest % p.size${dim})`;
    lines.push(`{ let c = ${at}; start += c * p.s${dim}; goal += c * p.d${dim}; }`);
    if (dim > 0) lines.push(`rest = rest / p.size${dim};`);
  }
  lines.push("dst_put(goal, src_at(start));");
  const operands = { src: "read i32", dst: "write i32" } as const;
  return { name: `copy${rank}d`, operands, params, body: lines.join("\n") };
}

const fill = defineKernel({
  name: "fill",
  operands: { dst: "write i32" },
  params: { count: "u32", word: "u32" },
  body: "if (item < p.count) { dst_put(item, bitcast<i32>(p.word)); }",
});

const addInto = defineKernel({
  name: "addInto",
  operands: { left: "read f32", right: "read f32", acc: "write f32" },
  params: { count: "u32" },
  body: "if (item < p.count) { acc_put(item, left_at(item) + right_at(item)); }",
});

const copyKernels: WgslKernel[] = Array.from({ length: 8 }, (_, rank) => copyKernel(rank));

export function copyRows(host: KernelHost) {
  const copy = (src: TensorView, dst: TensorView): void => {
    const count = numElements(dst.shape);
    if (count === 0) return;
    const { shape, strides } = collapseDims(dst.shape, [src.strides, dst.strides]);
    const [from, to] = strides as [readonly number[], readonly number[]];
    const params: Record<string, number> = { count };
    shape.forEach((size, dim) => {
      Object.assign(params, { [`size${dim}`]: size, [`s${dim}`]: from[dim], [`d${dim}`]: to[dim] });
    });
    host.launch(copyKernels[shape.length]!, { src, dst }, params, { groups: groupsOf(count) });
  };
  return {
    copy,
    fill(dst: TensorView, value: number): void {
      const count = numElements(dst.shape);
      if (count === 0) return;
      const word = new Uint32Array(
        (dst.dtype === "f32" ? new Float32Array([value]) : new Int32Array([value])).buffer,
      )[0]!;
      const whole = (view: TensorView) =>
        host.launch(fill, { dst: view }, { count, word }, { groups: groupsOf(count) });
      const { strides } = collapseDims(dst.shape, [dst.strides, contiguousStrides(dst.shape)]);
      if (strides[0]!.every((step, dim) => step === strides[1]![dim])) whole(dst);
      else {
        host.withTemporary([1], "i32", (one) => {
          host.launch(fill, { dst: one }, { count: 1, word }, { groups: 1 });
          copy({ ...one, shape: dst.shape, strides: dst.shape.map(() => 0) }, dst);
        });
      }
    },
    addInto(left: TensorView, right: TensorView, acc: TensorView): void {
      const count = numElements(acc.shape);
      host.launch(addInto, { left, right, acc }, { count }, { groups: groupsOf(count) });
    },
  };
}
