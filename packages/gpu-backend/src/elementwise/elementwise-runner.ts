/** @file Runs element-wise programs: one kernel for each program, number of dims and kind of operand layout. */
import type { ElementwiseProgram, TensorView } from "@lockstep/core";
import { collapseDims, contiguousStrides, numElements } from "@lockstep/core/backend";
import { groupsOf, type KernelHost, type Operands, type ParamTypes, type WgslKernel } from "../launch/kernel.js";
import { withFewBuffers } from "./few-buffers.js";
import { programLibraries } from "./program-libraries.js";
import { programText } from "./program-text.js";

/** How an operand walks: with the flat index, always the same element, or by its strides. */
type Walk = "flat" | "single" | "strided";

export class ElementwiseRunner {
  readonly #host: KernelHost;
  readonly #kernels = new Map<string, WgslKernel>();

  constructor(host: KernelHost) {
    this.#host = host;
  }

  run(
    program: ElementwiseProgram,
    inputs: readonly TensorView[],
    scalars: readonly number[],
    outputs: readonly TensorView[],
  ): void {
    if (numElements(outputs[0]!.shape) === 0) return;
    withFewBuffers(this.#host, { inputs, outputs }, (bound) =>
      this.#launch(program, { inputs: bound, scalars, outputs }),
    );
  }

  #launch(
    program: ElementwiseProgram,
    {
      inputs,
      scalars,
      outputs,
    }: {
      readonly inputs: readonly TensorView[];
      readonly scalars: readonly number[];
      readonly outputs: readonly TensorView[];
    },
  ): void {
    const { shape: full } = outputs[0]!;
    const count = numElements(full);
    const { shape, strides } = collapseDims(full, [
      ...outputs.map((view) => view.strides),
      ...inputs.map((view) => view.strides),
    ]);
    const own = strides.slice(outputs.length);
    const flat = contiguousStrides(shape);
    const walks = own.map((steps) => walkOf(steps, flat));
    const kernel = this.#kernelOf(program, walks, shape.length);
    const operands: Record<string, TensorView> = {};
    inputs.forEach((view, i) => {
      operands[`x${i}`] = view;
    });
    outputs.forEach((view, i) => {
      operands[`y${i}`] = view;
    });
    const params: Record<string, number> = { count };
    scalars.forEach((value, i) => {
      params[`s${i}`] = value;
    });
    shape.forEach((size, dim) => {
      params[`size${dim}`] = size;
    });
    own.forEach((steps, i) => {
      if (walks[i] === "strided") for (const [dim, step] of steps.entries()) params[`x${i}_${dim}`] = step;
    });
    this.#host.launch(kernel, operands, params, { groups: groupsOf(count) });
  }

  #kernelOf(program: ElementwiseProgram, walks: readonly Walk[], rank: number): WgslKernel {
    const isStrided = walks.includes("strided");
    const key = `${program.key}|${walks.join()}|${isStrided ? rank : 1}`;
    let kernel = this.#kernels.get(key);
    if (kernel === undefined) {
      kernel = kernelOf(`${program.name}#${this.#kernels.size}`, program, { walks, rank });
      this.#kernels.set(key, kernel);
    }
    return kernel;
  }
}

function walkOf(steps: readonly number[], flat: readonly number[]): Walk {
  if (steps.every((step) => step === 0)) return "single";
  return steps.every((step, dim) => step === flat[dim]) ? "flat" : "strided";
}

function kernelOf(
  name: string,
  program: ElementwiseProgram,
  { walks, rank }: { readonly walks: readonly Walk[]; readonly rank: number },
): WgslKernel {
  const operands: Record<string, Operands[string]> = {};
  const params: Record<string, ParamTypes[string]> = { count: "u32" };
  program.inputs.forEach((dtype, i) => {
    operands[`x${i}`] = dtype === "f32" ? "read f32" : "read i32";
  });
  program.outputs.forEach((e, i) => {
    operands[`y${i}`] = e.dtype === "f32" ? "write f32" : "write i32";
  });
  for (let i = 0; i < program.numScalars; i++) params[`s${i}`] = "f32";
  const isStrided = walks.includes("strided");
  if (isStrided) for (let dim = 0; dim < rank; dim++) params[`size${dim}`] = "u32";
  walks.forEach((walk, i) => {
    if (walk === "strided") for (let dim = 0; dim < rank; dim++) params[`x${i}_${dim}`] = "u32";
  });
  const { statements, outputs } = programText(program);
  const reads = walks.map((walk, i) => `  let in${i} = x${i}_at(${indexText(walk, i, rank)});`);
  const body = [
    "  if (item >= p.count) { return; }",
    ...(isStrided ? coordinates(rank) : []),
    ...reads,
    statements,
    ...outputs.map((value, i) => `  y${i}_put(item, ${value});`),
  ].join("\n");
  return { name, operands, params, uses: programLibraries(body), body };
}

function coordinates(rank: number): string[] {
  const lines = ["  var rest = item;"];
  for (let dim = rank - 1; dim > 0; dim--) {
    lines.push(`  let c${dim} = rest % p.size${dim};`, `  rest = rest / p.size${dim};`);
  }
  lines.push("  let c0 = rest;");
  return lines;
}

function indexText(walk: Walk, i: number, rank: number): string {
  if (walk === "flat") return "item";
  if (walk === "single") return "0u";
  return Array.from({ length: rank }, (_, dim) => `c${dim} * p.x${i}_${dim}`).join(" + ");
}
