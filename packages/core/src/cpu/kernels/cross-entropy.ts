/**
 * @file crossEntropy of integer targets and its gradient. An item is a row.
 *
 *   lse = max + log(sum(exp(x - max)))      loss = log(sum(exp(x - max))) - (x[target] - max)
 *   dLogits = (exp(x - lse) - onehot(target)) * dLoss
 *
 * Legend: N flattened rows, V vocab.
 */

import type { TensorView } from "../../backend/backend.js";
import type { CrossEntropyBackwardInputs, CrossEntropyOutputs, KernelTable } from "../../backend/kernel-table.js";
import { defineKernel, type KernelHost, type KernelRoom } from "../kernel.js";
import { emitExp } from "../vector-math/exp.js";
import { emitLog } from "../vector-math/log.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { add, assign, eq, forRange, type Int, loadInt, mul, push, words } from "../wasm/integer.js";
import { mapRow, scratchRowBytes } from "./row-loop.js";
import { emitExpRow, expGrain, pushVector } from "./softmax.js";

const forwardArgs = {
  logits: "i32",
  targets: "i32",
  ignoreIndex: "i32",
  length: "i32",
  loss: "i32",
  lse: "i32",
} as const;

const backwardArgs = {
  dLoss: "i32",
  logits: "i32",
  targets: "i32",
  lse: "i32",
  ignoreIndex: "i32",
  length: "i32",
  dLogits: "i32",
} as const;

function loadFloat(f: FunctionBuilder, address: Int): FunctionBuilder {
  return push(f, address).mem("f32.load");
}

const crossEntropy = defineKernel("crossEntropy", forwardArgs, (kernel) => {
  kernel.poolConstants();
  const { f, begin, end } = kernel;
  const [logits, targets, ignoreIndex] = [kernel.arg("logits"), kernel.arg("targets"), kernel.arg("ignoreIndex")];
  const [length, loss, lse] = [kernel.arg("length"), kernel.arg("loss"), kernel.arg("lse")];
  const row = { x: f.local("i32"), length, scratch: kernel.scratch(), shift: f.local("v128") };
  const logSum = f.local("f32");
  const target = f.local("i32");
  forRange(f, { from: begin, to: end }, (n) => {
    assign(f, row.x, add(logits, words(mul(n, length))));
    f.get(emitExpRow(kernel, row)).op("f32x4.splat");
    emitLog(f);
    f.extractF32(0).set(logSum);
    push(f, add(lse, words(n)));
    f.get(row.shift).extractF32(0).get(logSum).op("f32.add").mem("f32.store");
    assign(f, target, loadInt(add(targets, words(n))));
    push(f, add(loss, words(n)));
    push(f, eq(target, ignoreIndex)).ifValue(
      "f32",
      () => f.f32(0),
      () => {
        f.get(logSum);
        loadFloat(f, add(row.x, words(target)));
        f.get(row.shift).extractF32(0).op("f32.sub", "f32.sub");
      },
    );
    f.mem("f32.store");
  });
});

const crossEntropyBackward = defineKernel("crossEntropyBackward", backwardArgs, (kernel) => {
  kernel.poolConstants();
  const { f, begin, end } = kernel;
  const [dLoss, logits, targets] = [kernel.arg("dLoss"), kernel.arg("logits"), kernel.arg("targets")];
  const [lse, ignoreIndex] = [kernel.arg("lse"), kernel.arg("ignoreIndex")];
  const [length, dLogits] = [kernel.arg("length"), kernel.arg("dLogits")];
  const [shift, factor] = f.locals("v128", 2) as [Local, Local];
  const [x, to, target] = f.locals("i32", 3) as [Local, Local, Local];
  forRange(f, { from: begin, to: end }, (n) => {
    assign(f, x, add(logits, words(mul(n, length))));
    assign(f, to, add(dLogits, words(mul(n, length))));
    assign(f, target, loadInt(add(targets, words(n))));
    push(f, eq(target, ignoreIndex)).if(
      () => mapRow(f, { to, count: length }, () => void f.f32x4(0)),
      () => {
        loadFloat(f, add(lse, words(n)))
          .op("f32x4.splat")
          .set(shift);
        loadFloat(f, add(dLoss, words(n)))
          .op("f32x4.splat")
          .set(factor);
        mapRow(f, { to, count: length }, (offset) => {
          pushVector(f, x, offset);
          f.get(shift).op("f32x4.sub");
          emitExp(f);
          f.get(factor).op("f32x4.mul");
        });
        push(f, add(to, words(target)));
        push(f, add(x, words(target)))
          .mem("v128.load32_splat")
          .get(shift)
          .op("f32x4.sub");
        emitExp(f);
        f.f32x4(1).op("f32x4.sub").get(factor).op("f32x4.mul").extractF32(0).mem("f32.store");
      },
    );
  });
});

function sizeOf(logits: TensorView): { numItems: number; length: number } {
  const [numItems = 0, length = 0] = logits.shape;
  return { numItems, length };
}

function forward(
  host: KernelHost,
  inputs: { logits: TensorView; targets: TensorView; ignoreIndex: number },
  outputs: CrossEntropyOutputs,
): void {
  const { numItems, length } = sizeOf(inputs.logits);
  if (numItems === 0) return;
  const args = {
    logits: host.addressOf(inputs.logits),
    targets: host.addressOf(inputs.targets),
    ignoreIndex: inputs.ignoreIndex,
    length,
    loss: host.addressOf(outputs.loss),
    lse: host.addressOf(outputs.lse),
  };
  host.launch(crossEntropy, args, {
    numItems,
    grain: Math.ceil(expGrain / Math.max(1, length)),
    scratchBytes: scratchRowBytes(length),
  });
}

function backward(
  host: KernelHost,
  inputs: CrossEntropyBackwardInputs,
  options: { ignoreIndex: number; dLogits: TensorView },
): void {
  const { numItems, length } = sizeOf(inputs.logits);
  if (numItems * length === 0) return;
  const args = {
    dLoss: host.addressOf(inputs.dLoss),
    logits: host.addressOf(inputs.logits),
    targets: host.addressOf(inputs.targets),
    lse: host.addressOf(inputs.lse),
    ignoreIndex: options.ignoreIndex,
    length,
    dLogits: host.addressOf(options.dLogits),
  };
  host.launch(crossEntropyBackward, args, { numItems, grain: Math.ceil(expGrain / length) });
}

export const crossEntropyRoom: KernelRoom<Pick<KernelTable, "crossEntropy" | "crossEntropyBackward">> = {
  kernels: [crossEntropy, crossEntropyBackward],
  rows: (host) => ({
    crossEntropy: (logits, targets, ignoreIndex, outputs) => forward(host, { logits, targets, ignoreIndex }, outputs),
    crossEntropyBackward: (inputs, ignoreIndex, dLogits) => backward(host, inputs, { ignoreIndex, dLogits }),
  }),
};
