/** @file placeholder */
import type { DeviceBuffer, TensorView } from "../../backend/backend.js";
import type { ElementwiseProgram } from "../../expr/program.js";
import type { KernelHost } from "../kernel.js";
import type { Launcher } from "../launcher.js";
import type { MemoryLimits } from "../wasm/assembler.js";

export interface ElementwiseRunnerOptions {
  readonly host: KernelHost;
  readonly launcher: Launcher;
  readonly memoryLimits: MemoryLimits;
  readonly copy: (src: TensorView, dst: TensorView) => void;
  readonly allocate: (bytes: number) => DeviceBuffer;
  readonly free: (buffer: DeviceBuffer) => void;
}
export class ElementwiseRunner {
  constructor(_options: ElementwiseRunnerOptions) {}
  run(
    _program: ElementwiseProgram,
    _inputs: readonly TensorView[],
    _scalars: readonly number[],
    _outputs: readonly TensorView[],
  ): void {
    throw new Error("soon");
  }
}
