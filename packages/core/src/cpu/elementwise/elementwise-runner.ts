/**
 * @file Runs element-wise programs: brings operands into rows of stride 1 or 0, finds or makes the kernel, launches it.
 *
 * Nothing here changes bits: an element is computed alone, whichever way its operands are walked.
 */
import type { DeviceBuffer, TensorView } from "../../backend/backend.js";
import { collapseDims, contiguousStrides, isContiguous, numElements } from "../../backend/strided.js";
import type { ElementwiseProgram } from "../../expr/program.js";
import type { KernelHost } from "../kernel.js";
import type { Launcher, PublishedKernel } from "../launcher.js";
import { buildModule } from "../module-builder.js";
import type { MemoryLimits } from "../wasm/assembler.js";
import { costOfProgram, itemElements, programKernel, programKernelName } from "./program-kernel.js";

export interface ElementwiseRunnerOptions {
  readonly host: KernelHost;
  readonly launcher: Launcher;
  readonly memoryLimits: MemoryLimits;
  readonly copy: (src: TensorView, dst: TensorView) => void;
  readonly allocate: (bytes: number) => DeviceBuffer;
  readonly free: (buffer: DeviceBuffer) => void;
}

interface CompiledProgram {
  readonly program: ElementwiseProgram;
  /** Fewest elements worth a thread. */
  readonly grainElements: number;
  /** By the bits of the splat mask. */
  readonly kernels: Map<number, PublishedKernel>;
}

interface Walk {
  readonly shape: readonly number[];
  /** Per operand, inputs first; in the dims of `shape`. */
  readonly strides: readonly (readonly number[])[];
}

/** A launch of this many additions takes about 20 us. */
const grainAdditions = 131_072;
/** More launches than this in one call: copying the odd operands is cheaper. */
const maxOuterLaunches = 64;

export class ElementwiseRunner {
  readonly #options: ElementwiseRunnerOptions;
  readonly #byProgram = new WeakMap<ElementwiseProgram, CompiledProgram>();
  readonly #byKey = new Map<string, CompiledProgram>();

  constructor(options: ElementwiseRunnerOptions) {
    this.#options = options;
  }

  run(
    program: ElementwiseProgram,
    inputs: readonly TensorView[],
    scalars: readonly number[],
    outputs: readonly TensorView[],
  ): void {
    const output = outputs[0];
    if (!output || numElements(output.shape) === 0) return;
    const compiled = this.#compiled(program);
    if (this.#runFlat(compiled, inputs, scalars, outputs)) return;
    const temporaries: DeviceBuffer[] = [];
    const straight = this.#straighten(inputs, output.shape, temporaries);
    const operands = [...straight, ...outputs];
    this.#launchWalk(compiled, walkOf(straight, outputs, output.shape), operands, scalars);
    for (const buffer of temporaries) this.#options.free(buffer);
  }

  #compiled(program: ElementwiseProgram): CompiledProgram {
    let compiled = this.#byProgram.get(program);
    if (compiled) return compiled;
    compiled = this.#byKey.get(program.key);
    if (!compiled) {
      const grainElements = Math.ceil(grainAdditions / Math.max(1, costOfProgram(program)));
      compiled = { program, grainElements, kernels: new Map() };
      this.#byKey.set(program.key, compiled);
    }
    this.#byProgram.set(program, compiled);
    return compiled;
  }

  /** Bit i of `splatMask`: input i has stride 0 within a row. */
  #kernel(compiled: CompiledProgram, splatMask: number): PublishedKernel {
    let kernel = compiled.kernels.get(splatMask);
    if (!kernel) {
      const isSplat = compiled.program.inputs.map((_, i) => (splatMask & (1 << i)) !== 0);
      const definition = programKernel(compiled.program, isSplat);
      const { host, launcher, memoryLimits } = this.#options;
      const published = launcher.publish(buildModule([definition], host.numericClass, memoryLimits));
      kernel = published.get(programKernelName) as PublishedKernel;
      compiled.kernels.set(splatMask, kernel);
    }
    return kernel;
  }

  /** Everything as one row, when each input is contiguous or a single value; false when one is not. The way of nearly all launches. */
  #runFlat(
    compiled: CompiledProgram,
    inputs: readonly TensorView[],
    scalars: readonly number[],
    outputs: readonly TensorView[],
  ): boolean {
    const { host, launcher } = this.#options;
    const size = numElements((outputs[0] as TensorView).shape);
    const numItems = Math.ceil(size / itemElements);
    const words = [size, numItems];
    let splatMask = 0;
    for (const [i, view] of inputs.entries()) {
      if (!isContiguous(view)) {
        if (!isSingleValue(view)) return false;
        splatMask |= 1 << i;
      }
      words.push(host.addressOf(view), 0);
    }
    for (const view of outputs) words.push(host.addressOf(view), 0);
    const grain = Math.ceil(compiled.grainElements / itemElements);
    launcher.launchWords(this.#kernel(compiled, splatMask), words, scalars, { numItems, grain });
    return true;
  }

  /** Copies inputs whose inner stride is neither 0 nor 1 after collapsing, or all odd ones if too many launches would remain. */
  #straighten(inputs: readonly TensorView[], shape: readonly number[], temporaries: DeviceBuffer[]): TensorView[] {
    const first = collapseDims(shape, [contiguousStrides(shape), ...inputs.map((view) => view.strides)]);
    let straight = inputs.map((view, i) => {
      const inner = first.strides[i + 1]?.at(-1) ?? 0;
      return inner === 0 || inner === 1 ? view : this.#copyOf(view, temporaries);
    });
    const again = collapseDims(shape, [contiguousStrides(shape), ...straight.map((view) => view.strides)]);
    if (numElements(again.shape.slice(0, -2)) > maxOuterLaunches) {
      straight = straight.map((view) => (isContiguous(view) ? view : this.#copyOf(view, temporaries)));
    }
    return straight;
  }

  #copyOf(view: TensorView, temporaries: DeviceBuffer[]): TensorView {
    const buffer = this.#options.allocate(numElements(view.shape) * 4);
    temporaries.push(buffer);
    const copy: TensorView = { ...view, buffer, offset: 0, strides: contiguousStrides(view.shape) };
    this.#options.copy(view, copy);
    return copy;
  }

  #launchWalk(
    compiled: CompiledProgram,
    walk: Walk,
    operands: readonly TensorView[],
    scalars: readonly number[],
  ): void {
    const { host, launcher } = this.#options;
    const numInputs = compiled.program.inputs.length;
    const dims = walk.shape.length;
    const rowLength = walk.shape[dims - 1] ?? 1;
    const rows = dims > 1 ? (walk.shape[dims - 2] ?? 1) : 1;
    let splatMask = 0;
    for (let i = 0; i < numInputs; i++) if (walk.strides[i]?.[dims - 1] === 0) splatMask |= 1 << i;
    const kernel = this.#kernel(compiled, splatMask);
    const itemsPerRow = Math.ceil(rowLength / itemElements);
    const grain = Math.ceil(compiled.grainElements / Math.min(rowLength, itemElements));
    const addresses = operands.map((view) => host.addressOf(view));
    const launch = (): void => {
      const words = [rowLength, itemsPerRow];
      for (let i = 0; i < addresses.length; i++) {
        words.push(addresses[i] as number, dims > 1 ? 4 * ((walk.strides[i] as readonly number[])[dims - 2] ?? 0) : 0);
      }
      launcher.launchWords(kernel, words, scalars, { numItems: rows * itemsPerRow, grain });
    };
    const visit = (dim: number): void => {
      if (dim >= dims - 2) {
        launch();
        return;
      }
      for (let i = 0; i < (walk.shape[dim] ?? 1); i++) {
        visit(dim + 1);
        walk.strides.forEach((s, o) => {
          addresses[o] = (addresses[o] ?? 0) + 4 * (s[dim] ?? 0);
        });
      }
      walk.strides.forEach((s, o) => {
        addresses[o] = (addresses[o] ?? 0) - 4 * (s[dim] ?? 0) * (walk.shape[dim] ?? 1);
      });
    };
    visit(0);
  }
}

function isSingleValue(view: TensorView): boolean {
  for (let dim = 0; dim < view.shape.length; dim++) {
    if (view.shape[dim] !== 1 && view.strides[dim] !== 0) return false;
  }
  return true;
}

function walkOf(inputs: readonly TensorView[], outputs: readonly TensorView[], shape: readonly number[]): Walk {
  const contiguous = contiguousStrides(shape);
  return collapseDims(shape, [...inputs.map((view) => view.strides), ...outputs.map(() => contiguous)]);
}
