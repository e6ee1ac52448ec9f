/** @file softmax and logSoftmax. */
import { DTypeError, ShapeError } from "../errors.js";
import { hostExp, hostLog } from "../expr/host-math.js";
import { normalizeAxis } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural, type StructuralOp } from "./apply.js";
import { div, sub } from "./arithmetic.js";
import { asContiguous, runBackwardKernel } from "./backward-kernel.js";
import type { ReferenceArray, Sample, TensorSpec } from "./contract.js";
import { sum } from "./expand-sum.js";
import { exp, log } from "./math.js";
import { transpose } from "./permute.js";
import { max } from "./reduce.js";
import { asRows } from "./rows.js";
import { normal } from "./samples.js";

const samples: readonly Sample<undefined>[] = [
  { name: "odd width", inputs: [normal([3, 7])], attrs: undefined },
  { name: "one column", inputs: [normal([4, 1])], attrs: undefined },
  { name: "three dims, wider than a vector", inputs: [normal([2, 3, 37])], attrs: undefined },
  { name: "mean far from zero", inputs: [normal([3, 65], 500, 1)], attrs: undefined },
  { name: "large spread", inputs: [normal([5, 130], 0, 30)], attrs: undefined, checkVjp: false },
  { name: "no rows", inputs: [normal([0, 5])], attrs: undefined },
];

interface Definition {
  readonly row: (x: number, logSumExp: number) => number;
  /** From the differences to the row's maximum. */
  readonly composite: (centred: Tensor) => Tensor;
}

function define(name: "softmax" | "logSoftmax", { row, composite }: Definition): StructuralOp<undefined> {
  return defineStructural<undefined>({
    name,
    shapeRule: ([x]) => rowRule(name, x!),
    reference: ([x]) => [rowReference(x!, row)],
    run: (backend, [x], [out]) => backend.kernels[name](asRows(x!), asRows(out!)),
    vjp: {
      saves: { outputs: [0] },
      pull: ({ outputs: [y] }, dOut) => {
        const dy = asContiguous(dOut);
        return runBackwardKernel(`${name}Backward`, { inputs: [dy, y!], outputs: [y!] }, (backend, [dx]) =>
          backend.kernels[`${name}Backward`](asRows(dy), asRows(y!), asRows(dx!)),
        );
      },
    },
    reductionLength: ([shape]) => shape![shape!.length - 1]!,
    composite: ([x]) => [composite(sub(x!, max(x!, -1, { keepDims: true })))],
    samples,
  });
}

export const softmaxOp = define("softmax", {
  row: (x, logSumExp) => hostExp(x - logSumExp),
  composite: (centred) => {
    const e = exp(centred);
    return div(e, sum(e, -1, { keepDims: true }));
  },
});
export const logSoftmaxOp = define("logSoftmax", {
  row: (x, logSumExp) => x - logSumExp,
  composite: (centred) => sub(centred, log(sum(exp(centred), -1, { keepDims: true }))),
});

function rowRule(where: string, x: TensorSpec): readonly TensorSpec[] {
  if (x.dtype !== "f32")
    throw new DTypeError(`${where}: x is ${x.dtype}; it must be f32. Use cast("f32").`, { dtype: x.dtype });
  if (x.shape.length === 0)
    throw new ShapeError(`${where}: x is a scalar; it must have at least one dim.`, { x: x.shape });
  return [{ shape: x.shape, dtype: "f32" }];
}

function rowReference(x: ReferenceArray, f: (x: number, logSumExp: number) => number): ReferenceArray {
  const width = x.shape[x.shape.length - 1]!;
  const values = new Float64Array(x.values.length);
  for (let start = 0; start < values.length; start += width) {
    const row = x.values.subarray(start, start + width);
    const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const logSumExp = max + hostLog(row.reduce((total, value) => total + hostExp(value - max), 0));
    row.forEach((value, i) => {
      values[start + i] = f(value, logSumExp);
    });
  }
  return { shape: x.shape, values };
}

function onLastAxis(op: StructuralOp<undefined>, x: Tensor, axis: number): Tensor {
  const at = normalizeAxis(op.name, axis, x.numDims);
  const last = x.numDims - 1;
  if (at === last) return op.apply([x], undefined)[0]!;
  return transpose(op.apply([transpose(x, at, last)], undefined)[0]!, at, last);
}

/** exp(x) / sum(exp(x)) along an axis; the maximum is subtracted first. @shape any -> same @source torch.softmax */
export function softmax(x: Tensor, axis = -1): Tensor {
  return onLastAxis(softmaxOp, x, axis);
}

/** log(softmax(x)) along an axis, without the loss of digits. @shape any -> same @source torch.log_softmax */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return onLastAxis(logSoftmaxOp, x, axis);
}
