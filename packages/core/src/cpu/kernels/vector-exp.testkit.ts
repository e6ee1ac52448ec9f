/** @file The kernels' exp and log as plain functions, for references that must agree to the bit. Not part of the package. */
import { defineKernel } from "../kernel.js";
import { emitExp } from "../vector-math/exp.js";
import { emitLog } from "../vector-math/log.js";
import type { FunctionBuilder } from "../wasm/assembler.js";
import { add, forRange, mul, push, storeVector } from "../wasm/integer.js";
import { createSoloHost } from "./solo-host.testkit.js";

function vectorKernel(name: string, emit: (f: FunctionBuilder) => void) {
  return defineKernel(name, { x: "i32", out: "i32" }, ({ f, begin, end, arg }) => {
    const x = arg("x");
    const out = arg("out");
    const vector = f.local("v128");
    forRange(f, { from: begin, to: end }, (i) => {
      push(f, add(x, mul(i, 16))).mem("v128.load");
      emit(f);
      f.set(vector);
      storeVector(f, vector, add(out, mul(i, 16)));
    });
  });
}
const expKernel = vectorKernel("exp", emitExp);
const logKernel = vectorKernel("log", emitLog);
const host = createSoloHost([expKernel, logKernel], "strict");

function mapWith(kernel: typeof expKernel, values: ArrayLike<number>): Float32Array {
  host.reset();
  const x = host.put(Float32Array.from(values));
  const out = host.allocate(values.length);
  const numItems = Math.ceil(values.length / 4);
  host.launch(kernel, { x: host.addressOf(x), out: host.addressOf(out) }, { numItems, grain: 1 });
  return host.get(out) as Float32Array;
}

export const vectorExp = (values: ArrayLike<number>): Float32Array => mapWith(expKernel, values);
export const vectorLog = (values: ArrayLike<number>): Float32Array => mapWith(logKernel, values);
