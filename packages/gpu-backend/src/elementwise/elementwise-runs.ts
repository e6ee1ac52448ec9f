/** @file One element-wise program on many sets of contiguous f32 views in few launches: an optimizer's step over all parameters. */
import type { ElementwiseProgram, ElementwiseRun } from "@lockstep/core";
import { isContiguous, numElements } from "@lockstep/core/backend";
import type { KernelHost, ParamTypes, WgslKernel } from "../launch/kernel.js";
import {
  accessKey,
  batchRuns,
  type RunAccess,
  type RunBatch,
  runFunctions,
  runOperands,
  runParams,
  runPlace,
  runViews,
} from "../launch/view-runs.js";
import type { ElementwiseRunner } from "./elementwise-runner.js";
import { programLibraries } from "./program-libraries.js";
import { programText } from "./program-text.js";

/** Elements of a workgroup: four for each invocation. */
const blockLength = 1_024;

export class ElementwiseRuns {
  readonly #host: KernelHost;
  readonly #single: ElementwiseRunner;
  readonly #kernels = new Map<string, WgslKernel>();

  /** @param single runs what cannot be put together. */
  constructor(host: KernelHost, single: ElementwiseRunner) {
    this.#host = host;
    this.#single = single;
  }

  run(program: ElementwiseProgram, scalars: readonly number[], runs: readonly ElementwiseRun[]): void {
    const isFloat = [...program.inputs, ...program.outputs.map(({ dtype }) => dtype)].every((dtype) => dtype === "f32");
    if (!isFloat || !runs.every(isFlat)) {
      for (const { inputs, outputs } of runs) this.#single.run(program, inputs, scalars, outputs);
      return;
    }
    const isWritten = [...program.inputs.map(() => false), ...program.outputs.map(() => true)];
    const access: RunAccess = { type: "f32", isWritten };
    const all = runs.map(({ inputs, outputs }) => {
      return { views: [...inputs, ...outputs], count: numElements(outputs[0]!.shape) };
    });
    const params: Record<string, number> = {};
    for (const [i, value] of scalars.entries()) params[`s${i}`] = value;
    for (const batch of batchRuns(this.#host, all, { blockLength, numOther: 0 })) {
      const { numRuns, numGroups } = batch;
      const views = runViews(this.#host, batch, "f32");
      this.#host.launch(
        this.#kernelOf(program, batch, access),
        views,
        { ...params, numRuns, numGroups },
        { groups: numGroups },
      );
    }
  }

  #kernelOf(program: ElementwiseProgram, batch: RunBatch, access: RunAccess): WgslKernel {
    const key = `${program.key}#${accessKey(batch)}`;
    let kernel = this.#kernels.get(key);
    if (kernel === undefined) {
      kernel = kernelOf(`${program.name}Runs#${this.#kernels.size}`, program, { batch, access });
      this.#kernels.set(key, kernel);
    }
    return kernel;
  }
}

/** All views of a run have one shape: contiguous ones are walked by the flat index. */
function isFlat({ inputs, outputs }: ElementwiseRun): boolean {
  return inputs.every(isContiguous) && outputs.every(isContiguous);
}

function kernelOf(
  name: string,
  program: ElementwiseProgram,
  { batch, access }: { readonly batch: RunBatch; readonly access: RunAccess },
): WgslKernel {
  const numInputs = program.inputs.length;
  const { statements, outputs } = programText(program);
  const params: Record<string, ParamTypes[string]> = { ...runParams };
  for (let i = 0; i < program.numScalars; i++) params[`s${i}`] = "f32";
  const body = `  if (group >= p.numGroups) { return; }${runPlace(access.isWritten.length)}
  let end = min((first + 1u) * ${blockLength}u, count);
  for (var i = first * ${blockLength}u + lane; i < end; i += 256u) {
${program.inputs.map((_, j) => `  let in${j} = v${j}_at(kind, at${j} + i);`).join("\n")}
${statements}
${outputs.map((value, j) => `  v${numInputs + j}_put(kind, at${numInputs + j} + i, ${value});`).join("\n")}
  }`;
  const declarations = runFunctions(batch, access);
  return { name, operands: runOperands(batch, access), params, uses: programLibraries(body), declarations, body };
}
