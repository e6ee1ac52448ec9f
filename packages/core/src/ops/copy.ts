/** @file contiguous: the same numbers in row-major order without gaps. */
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural } from "./apply.js";
import { normal } from "./samples.js";

export const copyOp = defineStructural<undefined>({
  name: "copy",
  layout: "any",
  shapeRule: ([x]) => [x!],
  reference: ([x]) => [x!],
  run: (backend, [x], [out]) => backend.kernels.copy(x!, out!),
  vjp: { pull: (_context, dOut) => [dOut] },
  samples: [
    { name: "odd matrix", inputs: [normal([5, 7])], attrs: undefined },
    { name: "scalar", inputs: [normal([])], attrs: undefined },
    { name: "empty", inputs: [normal([0, 3])], attrs: undefined },
    { name: "four dims", inputs: [normal([2, 3, 5, 4])], attrs: undefined },
  ],
});

/** A tensor of its own memory with the same numbers. @shape any -> same @source torch.clone */
export function copy(x: Tensor): Tensor {
  return copyOp.apply([x], undefined)[0]!;
}

/** `x` itself when it is row-major without gaps, else a copy that is. @shape any -> same @source torch.Tensor.contiguous */
export function contiguous(x: Tensor): Tensor {
  return x.isContiguous ? x : copy(x);
}
