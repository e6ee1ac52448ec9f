/**
 * @file How a CPU kernel is declared, and what it may ask of its host.
 *
 * A kernel is one WebAssembly function `(begin, end, args)`: it computes the output items [begin, end) and reads its parameters from
 * the args block in memory. What an item is (a row, a tile, a block of 4,096) is the kernel's business; `launch` splits
 * 0..numItems over threads, so the bits of an item must not depend on begin and end.
 *
 * Invariants kernels keep:
 * - Addresses are unsigned and may lie above 2^31: count elements or compare with `_u` instructions, never compare addresses signed.
 * - Allocations are 64-byte aligned and padded to 64 bytes; reading up to 64 bytes past any view is harmless, writing past one is
 *   allowed only where the view ends its buffer.
 * - Scratch is private to the thread, 64-byte aligned, its contents undefined at each launch.
 */
import type { NumericClass, TensorView } from "../backend/backend.js";
import { argsBytes, maxPooledConstants } from "./memory-layout.js";
import { FunctionBuilder, type Local, type WasmType } from "./wasm/assembler.js";

/** The classes this backend can be. */
export type CpuNumericClass = Extract<NumericClass, "strict" | "fused">;

/** A function inside a module. Its name is unique in the module. */
export interface FunctionDefinition {
  readonly name: string;
  build(context: BuildContext): FunctionBuilder;
}

/** What a function may ask while it is built. */
export interface BuildContext {
  readonly numericClass: CpuNumericClass;
  /** Index for `f.call(...)` of another function of the same module, which is built first if it is not there yet. No recursion. */
  indexOf(definition: FunctionDefinition): number;
}

/** Names and types of a kernel's arguments. Addresses and counts are i32. */
export type ArgTypes = Readonly<Record<string, "i32" | "f32">>;
export type ArgValues<A extends ArgTypes> = { readonly [Name in keyof A]: number };

/** A kernel: a function definition that knows the layout of its args block. */
export interface Kernel<A extends ArgTypes = ArgTypes> extends FunctionDefinition {
  readonly args: A;
}

/** What the body of a kernel is written with. */
export interface KernelBody<A extends ArgTypes> {
  readonly f: FunctionBuilder;
  /** First item and end of the items to compute. Parameters: may be overwritten. */
  readonly begin: Local;
  readonly end: Local;
  readonly context: BuildContext;
  /** Loads an argument into a new local. Call it once an argument, at the top. */
  arg(name: keyof A): Local;
  /** `arg` of every argument, by name. */
  allArgs(): Readonly<Record<keyof A, Local>>;
  /** v128 constants move out of loops: call it first in kernels whose loops hold many (exp, log ...), not in register-bound ones. */
  poolConstants(): void;
  /** Loads the address of this thread's scratch memory into a new local. */
  scratch(): Local;
}

/** Word 0 of every args block is the thread's scratch address; arguments follow in the order of their declaration. */
const firstArgOffset = 4;

/**
 * Declares a kernel.
 *
 * @example
 * // not run: internal to core
 * const negate = defineKernel("negate", { x: "i32", out: "i32" }, ({ f, begin, end, arg }) => {
 *   const x = arg("x"), out = arg("out");
 *   // one item is four elements
 *   f.forUp(begin, () => f.get(end), 1, () => {
 *     f.get(out).get(begin).i32(4).op("i32.shl", "i32.add");
 *     f.get(x).get(begin).i32(4).op("i32.shl", "i32.add").mem("v128.load").op("f32x4.neg").mem("v128.store");
 *   });
 * });
 */
export function defineKernel<const A extends ArgTypes>(
  name: string,
  args: A,
  body: (kernel: KernelBody<A>) => void,
): Kernel<A> {
  const names = Object.keys(args);
  const build = (context: BuildContext): FunctionBuilder => {
    const f = new FunctionBuilder(name, ["i32", "i32", "i32"]);
    const [begin, end, block] = f.params as [Local, Local, Local];
    const load = (type: "i32" | "f32", offset: number): Local => {
      const local = f.local(type);
      f.get(block).mem(`${type}.load`, offset).set(local);
      return local;
    };
    const arg = (argName: keyof A): Local =>
      load(args[argName] ?? "i32", firstArgOffset + 4 * names.indexOf(argName as string));
    body({
      f,
      begin,
      end,
      context,
      arg,
      allArgs: () => Object.fromEntries(names.map((argName) => [argName, arg(argName)])) as Record<keyof A, Local>,
      poolConstants: () => f.poolConstants(block, argsBytes, maxPooledConstants),
      scratch: () => load("i32", 0),
    });
    return f;
  };
  return { name, args, build };
}

/** Declares an internal function that kernels call: `f.call(context.indexOf(definition))`. */
export function defineFunction(
  name: string,
  signature: { readonly params: readonly WasmType[]; readonly results: readonly WasmType[] },
  body: (f: FunctionBuilder, params: readonly Local[], context: BuildContext) => void,
): FunctionDefinition {
  return {
    name,
    build(context) {
      const f = new FunctionBuilder(name, signature.params, signature.results);
      body(f, f.params, context);
      return f;
    },
  };
}

export interface LaunchOptions {
  readonly numItems: number;
  /** Fewest items worth a thread of their own: about 20 us of work. At or below it the launch stays on the calling thread. Infinite: it always does. */
  readonly grain: number;
  /** Bytes of scratch memory each thread needs. */
  readonly scratchBytes?: number;
  /** i32 words behind the declared arguments: lists whose length the kernel reads from them. */
  readonly words?: readonly number[];
}

/** What the host side of a kernel (its row of the KernelTable) works with. */
export interface KernelHost {
  readonly numericClass: CpuNumericClass;
  /** Byte address of the first element of a view. */
  addressOf(view: TensorView): number;
  /** Runs a kernel of the structural module over 0..numItems and returns when all are done. */
  launch<A extends ArgTypes>(kernel: Kernel<A>, args: ArgValues<A>, options: LaunchOptions): void;
  /** Gives `use` the address of temporary memory (64-byte aligned, undefined contents) shared by all threads. */
  withTemporary<T>(byteLength: number, use: (address: number) => T): T;
  /** Views of the whole memory, good until the next allocation. Element index = address / 4. */
  words(): { readonly f32: Float32Array; readonly i32: Int32Array; readonly f64: Float64Array };
}

/** A file of structural kernels: what goes into the module, and the rows of the KernelTable made of it. */
export interface KernelRoom<Rows> {
  readonly kernels: readonly Kernel[];
  rows(host: KernelHost): Rows;
}
