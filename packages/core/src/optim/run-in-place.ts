/** @file Element-wise kernels that write some of their inputs: one after another, or many in few launches where the backend has such. */
import type { Backend } from "../backend/backend.js";
import type { ElementwiseProgram } from "../expr/program.js";
import type { Tensor } from "../tensor/tensor.js";

export interface InPlaceRun {
  readonly program: ElementwiseProgram;
  readonly inputs: readonly Tensor[];
  readonly scalars: readonly number[];
  /** Those of the inputs that are written, in the order of the program's outputs. */
  readonly written: readonly Tensor[];
}

/** Runs all, none of which reads what another writes: what comes out does not depend on how they are put together. */
export function runInPlace(runs: readonly InPlaceRun[]): void {
  for (let begin = 0; begin < runs.length; ) {
    const first = runs[begin]!;
    let end = begin + 1;
    while (end < runs.length && isAlike(first, runs[end]!)) end++;
    runAlike(first.written[0]!.backend, runs.slice(begin, end));
    begin = end;
  }
  for (const { written } of runs) for (const { storage } of written) storage.version++;
}

function runAlike(backend: Backend, runs: readonly InPlaceRun[]): void {
  const { program, scalars } = runs[0]!;
  if (backend.elementwiseRuns !== undefined && runs.length > 1) {
    const operands = runs.map(({ inputs, written }) => ({ inputs, outputs: written }));
    backend.elementwiseRuns(program, scalars, operands);
    return;
  }
  for (const { inputs, written } of runs) backend.elementwise(program, inputs, scalars, written);
}

function isAlike(a: InPlaceRun, b: InPlaceRun): boolean {
  return (
    a.program === b.program &&
    a.written[0]!.backend === b.written[0]!.backend &&
    (a.scalars === b.scalars || a.scalars.every((value, i) => Object.is(value, b.scalars[i])))
  );
}
