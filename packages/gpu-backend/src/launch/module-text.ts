/** @file Puts a kernel's WGSL module together: constants, parameters, bindings, accessors, libraries, entry point. Pure. */
import { half } from "../math/half.js";
import type { Operands, OperandType, WgslKernel, WgslLibrary } from "./kernel.js";

/** One binding of a module: a buffer, read by all its operands or written by some. */
export interface Binding {
  readonly type: OperandType;
  readonly isWritten: boolean;
  /** Its buffer holds binary16: kernels see f32 all the same. */
  readonly isHalf: boolean;
}

/** Which binding each operand is in, in the order of the kernel's operands. */
export interface BindingPlan {
  readonly bindings: readonly Binding[];
  readonly bindingOf: readonly number[];
  /** Names the plan among those of one kernel. */
  readonly key: string;
}

/** Joins operands that lie in one buffer. `buffers[i]` identifies the buffer of operand i, `halves[i]` says whether it holds binary16. */
export function planBindings(
  operands: Operands,
  buffers: readonly number[],
  halves: readonly boolean[] = [],
): BindingPlan {
  const kinds = Object.values(operands);
  const places = new Map<number, number>();
  const bindings: { type: OperandType; isWritten: boolean; isHalf: boolean }[] = [];
  const bindingOf = kinds.map((kind, i) => {
    const [access, type] = kind.split(" ") as ["read" | "write", OperandType];
    const known = places.get(buffers[i]!);
    if (known !== undefined) {
      bindings[known]!.isWritten ||= access === "write";
      // Four elements can be read one by one, but one of four cannot be written alone.
      if (bindings[known]!.type === "vec4f") bindings[known]!.type = type;
      return known;
    }
    places.set(buffers[i]!, bindings.length);
    return bindings.push({ type, isWritten: access === "write", isHalf: halves[i] === true }) - 1;
  });
  const key = `${bindingOf.join("")}${bindings.map(({ isWritten }) => (isWritten ? "w" : "r")).join("")}`;
  return { bindings, bindingOf, key };
}

/** Parameters of a module in the order in which they lie in its uniform block: one word each. */
export function paramNames(kernel: WgslKernel): readonly string[] {
  return [...Object.keys(kernel.operands).map((name) => `${name}_offset`), "zero", ...Object.keys(kernel.params)];
}

/** Where the uniform block is bound. */
export const uniformBinding = 0;

export function moduleText(
  kernel: WgslKernel,
  plan: BindingPlan,
  constants: Readonly<Record<string, number>> = {},
): string {
  const names = Object.keys(kernel.operands);
  const offsets = names.map((name) => `  ${name}_offset: u32,`);
  const params = Object.entries(kernel.params).map(([name, type]) => `  ${name}: ${type},`);
  const bindings = plan.bindings.map(
    (binding, i) =>
      `@group(0) @binding(${i + 1}) var<storage, ${binding.isWritten ? "read_write" : "read"}> b${i}: array<${elementType(binding)}>;`,
  );
  const accessors = names.map((name, i) => {
    const kind = kernel.operands[name]!;
    const binding = plan.bindings[plan.bindingOf[i]!]!;
    return accessorText(name, { place: plan.bindingOf[i]!, isWritten: kind.startsWith("write"), kind, binding });
  });
  const workgroup = kernel.workgroup ?? [256, 1, 1];
  const invocations = workgroup[0] * workgroup[1] * workgroup[2];
  const usesSubgroups = (constants.SUBGROUP ?? 0) > 0;
  const libraryText = ({ code, subgroupCode }: WgslLibrary): string =>
    (usesSubgroups ? subgroupCode?.(constants) : undefined) ?? code;
  const hasHalves = plan.bindings.some(({ isHalf }) => isHalf);
  const libraries = [...(hasHalves ? [half] : []), ...(kernel.uses ?? [])];
  return [
    ...(usesSubgroups ? ["enable subgroups;"] : []),
    ...(hasHalves ? ["enable f16;"] : []),
    ...Object.entries(constants).map(([name, value]) => `const ${name}: u32 = ${value}u;`),
    "struct Params {",
    ...offsets,
    "  zero: u32,",
    ...params,
    "}",
    `@group(0) @binding(${uniformBinding}) var<uniform> p: Params;`,
    ...bindings,
    ...accessors,
    ...librariesOf(libraries).map(libraryText),
    kernel.declarations ?? "",
    `@compute @workgroup_size(${workgroup.join(", ")})`,
    "fn main(@builtin(local_invocation_id) lid: vec3u, @builtin(local_invocation_index) lane: u32,",
    "  @builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) numGroups: vec3u) {",
    "  let group = wid.x + numGroups.x * (wid.y + numGroups.y * wid.z);",
    `  let item = group * ${invocations}u + lane;`,
    kernel.body,
    "}",
  ].join("\n");
}

function elementType({ type, isHalf }: Binding): string {
  if (isHalf) return type === "vec4f" ? "vec4<f16>" : "f16";
  return type === "atomic" ? "atomic<i32>" : type; // "vec4f" is WGSL's own name
}

interface Accessor {
  readonly place: number;
  readonly isWritten: boolean;
  readonly kind: string;
  readonly binding: Binding;
}

function accessorText(name: string, { place, isWritten, kind, binding }: Accessor): string {
  const type = kind.split(" ")[1] as OperandType;
  if (type === "vec4f") return vectorAccessorText(name, { place, isWritten, kind, binding });
  if (type === "atomic") {
    const element = `&b${place}[p.${name}_offset + i]`;
    return [
      `fn ${name}_at(i: u32) -> i32 { return atomicLoad(${element}); }`,
      `fn ${name}_add(i: u32, value: i32) -> i32 { return atomicAdd(${element}, value); }`,
      `fn ${name}_max(i: u32, value: i32) -> i32 { return atomicMax(${element}, value); }`,
    ].join("\n");
  }
  if (binding.isHalf) return halfAccessorText(name, { place, isWritten, type });
  const [load, store] = type === binding.type ? ["", ""] : [`bitcast<${type}>`, `bitcast<${binding.type}>`];
  const read = `fn ${name}_at(i: u32) -> ${type} { return ${load}(b${place}[p.${name}_offset + i]); }`;
  if (!isWritten) return read;
  return `${read}\nfn ${name}_put(i: u32, value: ${type}) { b${place}[p.${name}_offset + i] = ${store}(value); }`;
}

/** Of a "vec4f" operand, alone in its buffer or beside operands that are read one by one. */
function vectorAccessorText(name: string, { place, isWritten, binding }: Accessor): string {
  const isWhole = binding.type === "vec4f";
  const first = isWhole ? `p.${name}_offset / 4u + i` : `p.${name}_offset + 4u * i`;
  const { isHalf } = binding;
  const asBits = binding.type === "i32" && !isHalf;
  const load = isHalf ? "f32" : asBits ? "bitcast<f32>" : "";
  const store = isHalf ? "halfOf" : asBits ? "bitcast<i32>" : "";
  const four = (text: (j: number) => string): string[] => [0, 1, 2, 3].map(text);
  const whole = isHalf ? `vec4f(b${place}[at])` : `b${place}[at]`;
  const value = isWhole ? whole : `vec4f(${four((j) => `${load}(b${place}[at + ${j}u])`).join(", ")})`;
  const read = `fn ${name}_at4(i: u32) -> vec4f { let at = ${first}; return ${value}; }`;
  if (!isWritten) return read;
  const all = isHalf ? `vec4<f16>(${four((j) => `halfOf(value[${j}])`).join(", ")})` : "value";
  const writes = isWhole ? [`b${place}[at] = ${all};`] : four((j) => `b${place}[at + ${j}u] = ${store}(value[${j}]);`);
  return `${read}\nfn ${name}_put4(i: u32, value: vec4f) { let at = ${first}; ${writes.join(" ")} }`;
}

/** Every binary16 is an f32, so reading is exact; an i32 operand sees the bits of that f32. */
function halfAccessorText(
  name: string,
  { place, isWritten, type }: { readonly place: number; readonly isWritten: boolean; readonly type: OperandType },
): string {
  const element = `b${place}[p.${name}_offset + i]`;
  const [load, value] = type === "f32" ? ["", "value"] : ["bitcast<i32>", "bitcast<f32>(value)"];
  const read = `fn ${name}_at(i: u32) -> ${type} { return ${load}(f32(${element})); }`;
  if (!isWritten) return read;
  return `${read}\nfn ${name}_put(i: u32, value: ${type}) { ${element} = halfOf(${value}); }`;
}

/** Each once, what it requires first. */
export function librariesOf(libraries: readonly WgslLibrary[]): readonly WgslLibrary[] {
  const found = new Map<string, WgslLibrary>();
  const visit = (library: WgslLibrary): void => {
    if (found.has(library.name)) return;
    for (const required of library.requires ?? []) visit(required);
    found.set(library.name, library);
  };
  for (const library of libraries) visit(library);
  return [...found.values()];
}
