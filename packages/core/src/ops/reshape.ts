/** @file reshape and its relatives: a view where strides allow it, else a copy. */
import { ShapeError } from "../errors.js";
import { normalizeAxis, reshapeStrides, resolveReshape, type Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineView } from "./apply.js";
import type { Op } from "./contract.js";
import { contiguous } from "./copy.js";
import { normal } from "./samples.js";

const reshapeView = defineView<{ readonly shape: Shape }>({
  name: "reshape",
  layoutRule: ({ offset, shape, strides }, attrs) => {
    const view = reshapeStrides(shape, strides, attrs.shape);
    if (view === undefined)
      throw new ShapeError("reshape: strides allow no view; the input must be contiguous.", { shape, strides });
    return [{ offset, shape: attrs.shape, strides: view }];
  },
  reference: ([x], { shape }) => [{ shape, values: x!.values }],
  vjp: { pull: ({ inputShapes }, dOut) => [reshape(dOut, inputShapes[0]!)] },
  samples: [
    { name: "split a dim", inputs: [normal([6, 5])], attrs: { shape: [2, 3, 5] } },
    { name: "merge all", inputs: [normal([2, 3, 4])], attrs: { shape: [24] } },
    { name: "add ones", inputs: [normal([3])], attrs: { shape: [1, 3, 1] } },
    { name: "empty", inputs: [normal([0, 4])], attrs: { shape: [2, 0] } },
  ],
});

/** As the suite calls it: with a copy where strides allow no view. */
export const reshapeOp: Op = {
  ...reshapeView,
  call: ([x], attrs) => [reshape(x as Tensor, (attrs as { readonly shape: Shape }).shape)],
};

/** Same elements in row-major order under another shape; one size may be -1. @shape [...] -> shape @source torch.reshape */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const resolved = resolveReshape("reshape", x.shape, shape);
  const source = reshapeStrides(x.shape, x.strides, resolved) === undefined ? contiguous(x) : x;
  return reshapeView.apply(source, { shape: resolved })[0]!;
}

/** Merges dims `start` to `end` (inclusive). @shape [a, b, c] -> [a, b * c] @source torch.flatten */
export function flatten(x: Tensor, start = 0, end = -1): Tensor {
  if (x.numDims === 0) return reshape(x, [1]);
  const first = normalizeAxis("flatten", start, x.numDims);
  const last = normalizeAxis("flatten", end, x.numDims);
  let merged = 1;
  for (let i = first; i <= last; i++) merged *= x.shape[i]!;
  return reshape(x, [...x.shape.slice(0, first), merged, ...x.shape.slice(last + 1)]);
}

/** Drops dims of size 1: the one at `axis`, or all. @shape [a, 1, b] -> [a, b] @source torch.squeeze */
export function squeeze(x: Tensor, axis?: number): Tensor {
  if (axis === undefined) {
    return reshape(
      x,
      x.shape.filter((size) => size !== 1),
    );
  }
  const at = normalizeAxis("squeeze", axis, x.numDims);
  if (x.shape[at] !== 1) {
    throw new ShapeError(`squeeze: dim ${axis} has size ${x.shape[at]}; it must be 1.`, { shape: x.shape, axis });
  }
  return reshape(x, x.shape.toSpliced(at, 1));
}

/** Puts a dim of size 1 at `axis` of the result. @shape [a, b] -> [a, 1, b] @source torch.unsqueeze */
export function unsqueeze(x: Tensor, axis: number): Tensor {
  return reshape(x, x.shape.toSpliced(normalizeAxis("unsqueeze", axis, x.numDims + 1), 0, 1));
}
