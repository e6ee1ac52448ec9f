/**
 * @file crossEntropy of integer targets and its gradient. A row is shared by LANES invocations (lane-grid.ts), whatever its length.
 *
 *   lse = max + log(sum(exp(x - max)))      loss = log(sum(exp(x - max))) - (x[target] - max)
 *   dLogits = (exp(x - lse) - onehot(target)) * dLoss
 *
 * Legend: N flattened rows, V vocab.
 */
import type { TensorView } from "@lockstep/core";
import type { CrossEntropyBackwardInputs, CrossEntropyOutputs, KernelTable } from "@lockstep/core/backend";
import { defineKernel, groupsOf, type KernelHost } from "../launch/kernel.js";
import { exponential, logarithm } from "../math/exponentials.js";
import { rowFolds, rowLaunch, rowPlace } from "./lane-grid.js";
import { rowExponentials } from "./softmax.js";

const crossEntropy = defineKernel({
  name: "crossEntropy",
  operands: { x: "read f32", targets: "read i32", loss: "write f32", lse: "write f32" },
  params: { numRows: "u32", length: "u32", ignoreIndex: "i32" },
  uses: [exponential, logarithm, rowFolds],
  body: `${rowPlace}${rowExponentials}
  if (!isOurs || l != 0u) { return; }
  let logSum = logOf(sum);
  lse_put(n, peak + logSum);
  let classOf = targets_at(n);
  if (classOf == p.ignoreIndex) { loss_put(n, 0.0); }
  else { loss_put(n, logSum - (x_at(start + u32(classOf)) - peak)); }`,
});

/** An invocation an element. */
const crossEntropyBackward = defineKernel({
  name: "crossEntropyBackward",
  operands: {
    dLoss: "read f32",
    logits: "read f32",
    targets: "read i32",
    lse: "read f32",
    dLogits: "write f32",
  },
  params: { count: "u32", length: "u32", ignoreIndex: "i32" },
  uses: [exponential],
  body: `
  if (item >= p.count) { return; }
  let n = item / p.length;
  let wanted = targets_at(n);
  if (wanted == p.ignoreIndex) { dLogits_put(item, 0.0); return; }
  let share = expOf(logits_at(item) - lse_at(n));
  dLogits_put(item, select(share, share - 1.0, item % p.length == u32(wanted)) * dLoss_at(n));`,
});

export function crossEntropyRows(host: KernelHost) {
  return {
    crossEntropy(logits: TensorView, targets: TensorView, ignoreIndex: number, outputs: CrossEntropyOutputs): void {
      const [numRows = 0, length = 0] = logits.shape;
      const operands = { x: logits, targets, ...outputs };
      host.launch(
        crossEntropy,
        operands,
        { numRows, length, ignoreIndex },
        rowLaunch(numRows, length, host.choices.subgroupSize),
      );
    },
    crossEntropyBackward(inputs: CrossEntropyBackwardInputs, ignoreIndex: number, dLogits: TensorView): void {
      const [numRows = 0, length = 0] = inputs.logits.shape;
      const count = numRows * length;
      const params = { count, length, ignoreIndex };
      host.launch(crossEntropyBackward, { ...inputs, dLogits }, params, { groups: groupsOf(count) });
    },
  } satisfies Partial<KernelTable>;
}
