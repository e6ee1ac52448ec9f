/**
 * @file How a WGSL kernel is declared, and what it may ask of its host.
 *
 * A kernel names its operands and parameters; the launcher makes the bindings. In the body `x_at(i)` reads element i of operand x,
 * counted from the start of its view, `x_put(i, value)` writes it, and `p.name` is a parameter. Operands that lie in one buffer share
 * a binding, because WebGPU forbids a buffer to be bound twice when it is written.
 *
 * Invariants kernels keep: the order of additions is a function of shapes alone, never of what an adapter prefers; no atomics on floats;
 * reading past a view's end is harmless, writing there is not allowed.
 */
import type { TensorView } from "@lockstep/core";
import type { KernelChoices } from "../tuning/kernel-choices.js";

/**
 * "vec4f": four f32 at a time, `x_at4(i)` and `x_put4(i, vec4f)` for elements 4i to 4i + 3; the view must begin at a multiple of 4.
 * "atomic": i32 words for `x_at(i)`, `x_add(i, value)` and `x_max(i, value)`, which answer the old word; in a buffer of their own.
 */
export type OperandType = "f32" | "i32" | "vec4f" | "atomic";
export type OperandAccess = "read" | "write";

/** Operand name -> element type and access, such as "read f32". A written operand may be read too. u8 and bool are i32 words. */
export type Operands = Readonly<Record<string, `${OperandAccess} ${OperandType}`>>;
export type ParamTypes = Readonly<Record<string, "u32" | "i32" | "f32">>;

/** Functions and declarations that kernels share, put before the kernel once each, what they require first. */
export interface WgslLibrary {
  readonly name: string;
  readonly requires?: readonly WgslLibrary[];
  readonly code: string;
  /** Takes the place of `code` where the launch has a constant SUBGROUP above 0: the same bits by exchange within subgroups. */
  readonly subgroupCode?: (constants: Readonly<Record<string, number>>) => string;
}

export interface WgslKernel<O extends Operands = Operands, P extends ParamTypes = ParamTypes> {
  /** Unique among kernels. For error texts and profiles. */
  readonly name: string;
  readonly operands: O;
  readonly params: P;
  /** Parameters that are the place of the step: a replay gives them the values of its own. */
  readonly placeParams?: { readonly [Name in keyof P]?: "step" | "m" };
  /** Invocations of a workgroup: x, y, z. Default [256, 1, 1]. */
  readonly workgroup?: readonly [number, number, number];
  readonly uses?: readonly WgslLibrary[];
  /** Module-scope code: `var<workgroup>`, functions. They may use operands, parameters and constants. */
  readonly declarations?: string;
  /**
   * Body of the entry point. Given: `lane` (u32, index in the workgroup), `group` (u32, flat index of the workgroup), `item` (u32,
   * group * invocations + lane), `lid` and `wid` (vec3u), and the constants of the launch.
   */
  readonly body: string;
}

const defined: WgslKernel[] = [];

/** Types the names of operands and parameters: returns its argument, and lists it among `definedKernels`. */
export function defineKernel<const O extends Operands, const P extends ParamTypes>(
  kernel: WgslKernel<O, P>,
): WgslKernel<O, P> {
  defined.push(kernel);
  return kernel;
}

/** Every kernel of the modules that were loaded: so that a test can say which of them nobody launched. */
export function definedKernels(): readonly WgslKernel[] {
  return defined;
}

export interface LaunchOptions {
  /** Workgroups along x, y, z; or a flat number of them, which may be larger than one dimension allows. */
  readonly groups: number | readonly [number, number, number];
  /** Names that the module sees as `const NAME: u32 = value;`. Each set of values is a pipeline of its own: for few values only. */
  readonly constants?: Readonly<Record<string, number>>;
}

/** What the host side of a kernel (its rows of the KernelTable) works with. */
export interface KernelHost {
  launch<O extends Operands, P extends ParamTypes>(
    kernel: WgslKernel<O, P>,
    operands: { readonly [Name in keyof O]: TensorView },
    params: { readonly [Name in keyof P]: number },
    options: LaunchOptions,
  ): void;
  /** Gives `use` a contiguous view of temporary memory with undefined contents. */
  withTemporary<T>(shape: readonly number[], dtype: "f32" | "i32", use: (view: TensorView) => T): T;
  /** A constant i32 list in device memory, kept by content: tables that depend on geometry alone. */
  constantWords(words: readonly number[]): TensorView;
  /** As constantWords, f32. */
  constantFloats(values: readonly number[]): TensorView;
  readonly limits: GPUSupportedLimits;
  readonly features: ReadonlySet<string>;
  readonly choices: Readonly<KernelChoices>;
}

/** Workgroups of 256 for a number of items. */
export function groupsOf(numItems: number, workgroupSize = 256): number {
  return Math.ceil(numItems / workgroupSize);
}
