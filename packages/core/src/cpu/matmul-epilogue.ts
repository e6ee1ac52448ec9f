/** @file A product's epilogue on the CPU: the product, then the program, as two ops would do it. */
import type { TensorView } from "../backend/backend.js";
import type { KernelTable } from "../backend/kernel-table.js";
import type { ElementwiseProgram } from "../expr/program.js";

/** The table with a matmul that knows epilogues. */
export function withEpilogue(
  kernels: KernelTable,
  run: (program: ElementwiseProgram, input: TensorView, out: TensorView) => void,
): KernelTable {
  return {
    ...kernels,
    matmul: (a, b, out, { epilogue, ...options }) => {
      kernels.matmul(a, b, epilogue?.input ?? out, options);
      if (epilogue !== undefined) run(epilogue.program, epilogue.input, out);
    },
  };
}
