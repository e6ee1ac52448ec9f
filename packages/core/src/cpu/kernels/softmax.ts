/**
 * @file softmax and logSoftmax over the last dim, and their gradients. An item is a row.
 *
 * A row passes through scratch memory, whole vectors at a time; only the last pass writes the output, to the exact end.
 * Legend: N flattened rows, C length of a row.
 */
import type { TensorView } from "../../backend/backend.js";
import type { KernelTable } from "../../backend/kernel-table.js";
import { defineKernel, type Kernel, type KernelBody, type KernelHost, type KernelRoom } from "../kernel.js";
import { rowSum } from "../sum-order.js";
import { emitExp } from "../vector-math/exp.js";
import { emitLog } from "../vector-math/log.js";
import type { Local } from "../wasm/assembler.js";
import { add, define, forRange, mul, push, storeVector, words } from "../wasm/integer.js";
import { forVectors, mapRow, scratchRowBytes } from "./row-loop.js";
import { rowPeak } from "./softmax-row.js";

/** Elements whose exp takes about 20 us. */
export const expGrain = 12_000;

const oneInput = { x: "i32", out: "i32", length: "i32" } as const;
const twoInputs = { x: "i32", y: "i32", out: "i32", length: "i32" } as const;
type OneInput = typeof oneInput;

/** Pushes four floats of a row. */
export function pushVector(f: KernelBody<OneInput>["f"], row: Local, offset: Local): void {
  push(f, add(row, offset)).mem("v128.load");
}

/**
 * scratch[j] = exp(x[j] - max(x)), j < length. Sets `shift` to max(x), splat, and returns a local with the f32 sum.
 */
export function emitExpRow(
  { f, context }: Pick<KernelBody<OneInput>, "f" | "context">,
  row: { x: Local; length: Local; scratch: Local; shift: Local },
): Local {
  const vector = f.local("v128");
  const sum = f.local("f32");
  f.get(row.x).get(row.length).call(context.indexOf(rowPeak)).op("f32x4.splat").set(row.shift);
  forVectors(f, row.length, (offset) => {
    pushVector(f, row.x, offset);
    f.get(row.shift).op("f32x4.sub");
    emitExp(f);
    f.set(vector);
    storeVector(f, vector, add(row.scratch, offset));
  });
  f.get(row.scratch).get(row.length).call(context.indexOf(rowSum)).set(sum);
  return sum;
}

/** out = e / sum(e) as e * (1 / sum(e)), e = exp(x - max(x)). */
const softmax = defineKernel("softmax", oneInput, (kernel) => {
  kernel.poolConstants();
  const { f, begin, end } = kernel;
  const [x, out, length, scratch] = [kernel.arg("x"), kernel.arg("out"), kernel.arg("length"), kernel.scratch()];
  const factor = f.local("v128");
  const row = { x: f.local("i32"), length, scratch, shift: f.local("v128") };
  forRange(f, { from: begin, to: end }, (n) => {
    const start = define(f, words(mul(n, length)));
    push(f, add(x, start)).set(row.x);
    const sum = emitExpRow(kernel, row);
    f.f32(1).get(sum).op("f32.div", "f32x4.splat").set(factor);
    mapRow(f, { to: define(f, add(out, start)), count: length }, (offset) => {
      pushVector(f, scratch, offset);
      f.get(factor).op("f32x4.mul");
    });
  });
});

/** out = (x - max(x)) - log(sum(exp(x - max(x)))). */
const logSoftmax = defineKernel("logSoftmax", oneInput, (kernel) => {
  kernel.poolConstants();
  const { f, begin, end } = kernel;
  const [x, out, length, scratch] = [kernel.arg("x"), kernel.arg("out"), kernel.arg("length"), kernel.scratch()];
  const logSum = f.local("v128");
  const row = { x: f.local("i32"), length, scratch, shift: f.local("v128") };
  forRange(f, { from: begin, to: end }, (n) => {
    const start = define(f, words(mul(n, length)));
    push(f, add(x, start)).set(row.x);
    f.get(emitExpRow(kernel, row)).op("f32x4.splat");
    emitLog(f);
    f.set(logSum);
    mapRow(f, { to: define(f, add(out, start)), count: length }, (offset) => {
      pushVector(f, row.x, offset);
      f.get(row.shift).op("f32x4.sub").get(logSum).op("f32x4.sub");
    });
  });
});

/** x is dy: out = y * (dy - sum(dy * y)). */
const softmaxBackward = defineKernel("softmaxBackward", twoInputs, (kernel) => {
  const { f, begin, end, context } = kernel;
  const [dy, y, out, length] = [kernel.arg("x"), kernel.arg("y"), kernel.arg("out"), kernel.arg("length")];
  const scratch = kernel.scratch();
  const [vector, sum] = f.locals("v128", 2) as [Local, Local];
  forRange(f, { from: begin, to: end }, (n) => {
    const start = define(f, words(mul(n, length)));
    const rows = { dy: define(f, add(dy, start)), y: define(f, add(y, start)) };
    forVectors(f, length, (offset) => {
      pushVector(f, rows.dy, offset);
      pushVector(f, rows.y, offset);
      f.op("f32x4.mul").set(vector);
      storeVector(f, vector, add(scratch, offset));
    });
    f.get(scratch).get(length).call(context.indexOf(rowSum)).op("f32x4.splat").set(sum);
    mapRow(f, { to: define(f, add(out, start)), count: length }, (offset) => {
      pushVector(f, rows.y, offset);
      pushVector(f, rows.dy, offset);
      f.get(sum).op("f32x4.sub", "f32x4.mul");
    });
  });
});

/** x is dy: out = dy - exp(y) * sum(dy). */
const logSoftmaxBackward = defineKernel("logSoftmaxBackward", twoInputs, (kernel) => {
  kernel.poolConstants();
  const { f, begin, end, context } = kernel;
  const [dy, y, out, length] = [kernel.arg("x"), kernel.arg("y"), kernel.arg("out"), kernel.arg("length")];
  const sum = f.local("v128");
  forRange(f, { from: begin, to: end }, (n) => {
    const start = define(f, words(mul(n, length)));
    const rows = { dy: define(f, add(dy, start)), y: define(f, add(y, start)) };
    f.get(rows.dy).get(length).call(context.indexOf(rowSum)).op("f32x4.splat").set(sum);
    mapRow(f, { to: define(f, add(out, start)), count: length }, (offset) => {
      pushVector(f, rows.dy, offset);
      pushVector(f, rows.y, offset);
      emitExp(f);
      f.get(sum).op("f32x4.mul", "f32x4.sub");
    });
  });
});

function launchRows<A extends OneInput>(
  host: KernelHost,
  kernel: Kernel<A>,
  tensors: { readonly [Name in Exclude<keyof A, "length">]: TensorView },
): void {
  const out = (tensors as unknown as { out: TensorView }).out;
  const [numItems = 0, length = 0] = out.shape;
  if (numItems * length === 0) return;
  const addresses = Object.entries<TensorView>(tensors).map(([name, view]) => [name, host.addressOf(view)]);
  const args = { ...Object.fromEntries(addresses), length } as { readonly [Name in keyof A]: number };
  host.launch(kernel, args, { numItems, grain: Math.ceil(expGrain / length), scratchBytes: scratchRowBytes(length) });
}

type Rows = Pick<KernelTable, "softmax" | "softmaxBackward" | "logSoftmax" | "logSoftmaxBackward">;

export const softmaxRoom: KernelRoom<Rows> = {
  kernels: [softmax, softmaxBackward, logSoftmax, logSoftmaxBackward],
  rows: (host) => ({
    softmax: (x, out) => launchRows(host, softmax, { x, out }),
    softmaxBackward: (dy, y, dx) => launchRows(host, softmaxBackward, { x: dy, y, out: dx }),
    logSoftmax: (x, out) => launchRows(host, logSoftmax, { x, out }),
    logSoftmaxBackward: (dy, y, dx) => launchRows(host, logSoftmaxBackward, { x: dy, y, out: dx }),
  }),
};
