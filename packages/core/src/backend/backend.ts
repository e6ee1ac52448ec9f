/**
 * @file What core asks of a machine: memory, element-wise programs and the structural kernels.
 *
 * Ops (core/ops) check shapes and allocate outputs; a backend never checks and never allocates results. Kernels never write their
 * inputs. A kernel's rounding and order of additions depend on shapes alone (L1).
 * Legend: B batch, T sequence, H heads, D head dim, C embed, V vocab, N flattened rows, K reduction.
 */
import type { ElementwiseProgram } from "../expr/program.js";
import type { DType, DTypeArray } from "../tensor/dtype.js";
import type { KernelTable } from "./kernel-table.js";
import type { StepRunner, StepRunnerOptions } from "./step-runner.js";

/**
 * How a backend rounds (design section 1). "strict": multiply and add rounded apart, the same bits everywhere; "fused": the
 * multiply-adds of matmul-like kernels rounded once; "webgpu:<vendor/arch>": that adapter's.
 */
export type NumericClass = "strict" | "fused" | `webgpu:${string}`;

/**
 * What memory is for. "exact": every 32-bit word comes back as it was written. "reducible": f32 values, which a backend may store in fewer
 * bits; its kernels compute with them in f32 all the same.
 */
export type StorageFidelity = "exact" | "reducible";

/** Memory owned by a backend. Contents are undefined after allocation. */
export interface DeviceBuffer {
  readonly byteLength: number;
}

/**
 * A strided window on a buffer. `offset` and `strides` count elements; stride 0 broadcasts; only the source of a copy may have
 * strides below zero.
 */
export interface TensorView {
  readonly buffer: DeviceBuffer;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly dtype: DType;
}

export interface MemoryFigures {
  /** Bytes in live buffers. */
  readonly usedBytes: number;
  /** Highest `usedBytes` so far. */
  readonly peakBytes: number;
  /** Bytes taken from the system and kept for reuse. */
  readonly reservedBytes: number;
  readonly numBuffers: number;
}

/** One set of operands of an element-wise program. */
export interface ElementwiseRun {
  readonly inputs: readonly TensorView[];
  readonly outputs: readonly TensorView[];
}

/**
 * What the rows of the kernel table with a host result do, on a device that can only be waited for. The work is recorded at the call: a
 * promise gives the numbers as they were then, and launches that follow see what was scaled. Views are contiguous.
 */
export interface LateResults {
  /** Multiplies all elements by min(1, maxNorm / (norm + 1e-6)); the norm before, sqrt of the sum of all squares. Infinity only measures. */
  clipNorm(tensors: readonly TensorView[], maxNorm: number): Promise<number>;
  /** x *= 1 / (norm of x + eps). */
  normalize(x: TensorView, eps: number): void;
  /** As the row `findNonFinite`. */
  findNonFinite(x: TensorView): Promise<number>;
  /** As the row `hash`, to the same digits. */
  hash(tensors: readonly TensorView[]): Promise<string>;
  /** The digits of `hash` for every block of so many words of each tensor, in order: many at once. */
  hashBlocks(tensors: readonly TensorView[], blockWords: number): Promise<readonly string[]>;
}

export interface Backend {
  /** "cpu", "reference", "webgpu". */
  readonly name: string;
  readonly numericClass: NumericClass;
  /** Structural kernels. */
  readonly kernels: KernelTable;
  /**
   * @param byteLength four bytes an element, however they are stored.
   * @param fidelity default "exact".
   * @throws {OutOfMemoryError} E_OUT_OF_MEMORY with the bytes asked for, used and available.
   */
  allocate(byteLength: number, fidelity?: StorageFidelity): DeviceBuffer;
  free(buffer: DeviceBuffer): void;
  /** Copies host elements into a contiguous range that starts at element `offset`. */
  write(buffer: DeviceBuffer, offset: number, source: DTypeArray): void;
  /** Copies a view out, in row-major order. */
  read(view: TensorView): Promise<DTypeArray>;
  /** As `read`, at once. Absent on devices that cannot. */
  readonly readSync?: (view: TensorView) => DTypeArray;
  /**
   * A number that follows from a view's values, where the host still knows them because it wrote them; undefined where it does not. For
   * devices without `readSync`. A recorded step asks again before every replay: another answer means that the step is not the same.
   *
   * @param of may throw, which refuses the values.
   */
  readonly hostValue?: (view: TensorView, of: (values: DTypeArray) => number) => number | undefined;
  /** Records what a step of fixed shapes launches, and replays it. Absent on backends that have nothing to gain. */
  readonly createStepRunner?: (options?: StepRunnerOptions) => StepRunner;
  /**
   * Runs one expression for every element of `outputs` (all of one shape, contiguous, not aliasing the inputs unless the same view
   * is passed as input and output). `inputs` are already broadcast to that shape by strides. `scalars` are run-time f32 values.
   */
  elementwise(
    program: ElementwiseProgram,
    inputs: readonly TensorView[],
    scalars: readonly number[],
    outputs: readonly TensorView[],
  ): void;
  /**
   * Runs one program on several sets of operands, each as `elementwise` does, to the same bits; no run reads what another writes. Absent where
   * that is no faster than one after another.
   */
  readonly elementwiseRuns?: (
    program: ElementwiseProgram,
    scalars: readonly number[],
    runs: readonly ElementwiseRun[],
  ) => void;
  /** Absent where the rows of the kernel table with a host result answer at once. */
  readonly late?: LateResults;
  memory(): MemoryFigures;
  /** Frees everything, stops its threads. */
  dispose(): void;
}
