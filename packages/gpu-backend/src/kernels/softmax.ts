/**
 * @file softmax and logSoftmax over the last dim, and their gradients. A row is shared by LANES invocations (lane-grid.ts).
 *
 * Legend: N flattened rows, C length of a row.
 */
import type { TensorView } from "@lockstep/core";
import type { KernelTable } from "@lockstep/core/backend";
import { defineKernel, type KernelHost } from "../launch/kernel.js";
import { exponential, logarithm } from "../math/exponentials.js";
import { rowFolds, rowLaunch, rowPlace } from "./lane-grid.js";

const params = { numRows: "u32", length: "u32" } as const;
const oneInput = { x: "read f32", out: "write f32" } as const;
const twoInputs = { x: "read f32", y: "read f32", out: "write f32" } as const;

/** peak = max(x), sum = sum(exp(x - peak)) of the row at `start`. */
export const rowExponentials = `
  var peak = x_at(start + min(l, p.length - 1u));
  for (var c = l + LANES; c < p.length; c += LANES) { peak = larger(peak, x_at(start + c)); }
  peak = rowMax(lane, peak);
  var sum = 0.0;
  for (var c = l; c < p.length; c += LANES) { sum += expOf(x_at(start + c) - peak); }
  sum = rowSum(lane, sum);`;

/** out = exp(x - max(x)) / sum(exp(x - max(x))). */
const softmax = defineKernel({
  name: "softmax",
  operands: oneInput,
  params,
  uses: [exponential, rowFolds],
  body: `${rowPlace}${rowExponentials}
  let factor = 1.0 / sum;
  if (!isOurs) { return; }
  for (var c = l; c < p.length; c += LANES) { out_put(start + c, expOf(x_at(start + c) - peak) * factor); }`,
});

/** out = (x - max(x)) - log(sum(exp(x - max(x)))). */
const logSoftmax = defineKernel({
  name: "logSoftmax",
  operands: oneInput,
  params,
  uses: [exponential, logarithm, rowFolds],
  body: `${rowPlace}${rowExponentials}
  let logSum = logOf(sum);
  if (!isOurs) { return; }
  for (var c = l; c < p.length; c += LANES) { out_put(start + c, (x_at(start + c) - peak) - logSum); }`,
});

/** x is dy: out = y * (dy - sum(dy * y)). */
const softmaxBackward = defineKernel({
  name: "softmaxBackward",
  operands: twoInputs,
  params,
  uses: [rowFolds],
  body: `${rowPlace}
  var sum = 0.0;
  for (var c = l; c < p.length; c += LANES) { sum += x_at(start + c) * y_at(start + c); }
  sum = rowSum(lane, sum);
  if (!isOurs) { return; }
  for (var c = l; c < p.length; c += LANES) { out_put(start + c, y_at(start + c) * (x_at(start + c) - sum)); }`,
});

/** x is dy: out = dy - exp(y) * sum(dy). */
const logSoftmaxBackward = defineKernel({
  name: "logSoftmaxBackward",
  operands: twoInputs,
  params,
  uses: [exponential, rowFolds],
  body: `${rowPlace}
  var sum = 0.0;
  for (var c = l; c < p.length; c += LANES) { sum += x_at(start + c); }
  sum = rowSum(lane, sum);
  if (!isOurs) { return; }
  for (var c = l; c < p.length; c += LANES) { out_put(start + c, x_at(start + c) - expOf(y_at(start + c)) * sum); }`,
});

export function softmaxRows(host: KernelHost) {
  const launch = <T>(out: TensorView, run: (size: { numRows: number; length: number }) => T): void => {
    const [numRows = 0, length = 0] = out.shape;
    if (numRows * length > 0) run({ numRows, length });
  };
  const one = (kernel: typeof softmax | typeof logSoftmax, x: TensorView, out: TensorView): void =>
    launch(out, (size) =>
      host.launch(kernel, { x, out }, size, rowLaunch(size.numRows, size.length, host.choices.subgroupSize)),
    );
  const two = (
    kernel: typeof softmaxBackward | typeof logSoftmaxBackward,
    operands: { readonly x: TensorView; readonly y: TensorView; readonly out: TensorView },
  ): void =>
    launch(operands.out, (size) =>
      host.launch(kernel, operands, size, rowLaunch(size.numRows, size.length, host.choices.subgroupSize)),
    );
  return {
    softmax: (x: TensorView, out: TensorView) => one(softmax, x, out),
    softmaxBackward: (dy: TensorView, y: TensorView, dx: TensorView) => two(softmaxBackward, { x: dy, y, out: dx }),
    logSoftmax: (x: TensorView, out: TensorView) => one(logSoftmax, x, out),
    logSoftmaxBackward: (dy: TensorView, y: TensorView, dx: TensorView) =>
      two(logSoftmaxBackward, { x: dy, y, out: dx }),
  } satisfies Partial<KernelTable>;
}
