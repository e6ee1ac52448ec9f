/** @file One op on one sample on one backend: outputs and gradients as host arrays, for the checks to compare. */
import type { Backend } from "../backend/backend.js";
import { withBackend } from "../backend/current-backend.js";
import { hash128 } from "../hash/index.js";
import type { Op, ReferenceArray, Sample } from "../ops/contract.js";
import { Tensor } from "../ops/tensor-methods.js";
import { Generator } from "../rng/generator.js";
import type { DTypeArray } from "../tensor/dtype.js";
import { scope } from "../tensor/scope.js";
import type { Shape } from "../tensor/shape.js";
import { expectSameBits } from "./expect-close.js";
import { expandedValues, referenceArray, type SampleLayout, sampleTensor, sampleValues } from "./sample-inputs.js";

/** A sample with its numbers. */
export interface PreparedSample {
  readonly op: Op;
  readonly sample: Sample<unknown>;
  /** A number for a scalar operand. */
  readonly values: readonly (DTypeArray | number)[];
  /** Of a backend that stores f32 in fewer bits: inputs and cotangents are rounded as it does. */
  readonly stored?: StoredFloats | undefined;
}

/** How a backend stores f32 where it does so in fewer bits. */
export interface StoredFloats {
  readonly round: (value: number) => number;
  /** Largest relative error of one rounding in the normal range: 2^-11 for binary16. */
  readonly unit: number;
}

export interface RunOptions {
  /** How inputs lie in memory. Default "contiguous". */
  readonly layout?: SampleLayout;
  /** How cotangents do. Default "contiguous". */
  readonly cotangentLayout?: SampleLayout;
  /** Default: the op itself. */
  readonly call?: ((inputs: readonly Tensor[], attrs: unknown) => readonly Tensor[]) | undefined;
}

/** What an op answered. Host copies. */
export interface SampleRun {
  readonly shapes: readonly Shape[];
  readonly outputs: readonly DTypeArray[];
  readonly requiresGrad: readonly boolean[];
  /** By input: undefined where there is none (numbers, integers, nothing recorded). */
  readonly gradients: readonly (DTypeArray | undefined)[];
  /** One for each visible output, as given to backward. */
  readonly cotangents: readonly Float32Array[];
}

const inputSeed = 20_260_101;
const cotangentSeed = 7;

export function prepareSample(op: Op, sample: Sample<unknown>, stored?: StoredFloats): PreparedSample {
  const generator = new Generator(inputSeed);
  const values = sample.inputs.map((input) => {
    return typeof input === "number" ? input : roundedBy(stored, sampleValues(input, generator));
  });
  return { op, sample, values, stored };
}

function roundedBy<T extends DTypeArray>(stored: StoredFloats | undefined, values: T): T {
  return stored !== undefined && values instanceof Float32Array ? (values.map(stored.round) as T) : values;
}

/** The same sample with equal places along each input's expanded dim. */
export function withExpandedValues({ op, sample, values, stored }: PreparedSample): PreparedSample {
  const repeated = sample.inputs.map((input, i) =>
    typeof input === "number" ? input : expandedValues(input.shape, values[i] as DTypeArray),
  );
  return { op, sample, values: repeated, stored };
}

/** Inputs of the f64 reference; numbers as the f32 that the kernel sees. */
export function referencesOf({ sample, values }: PreparedSample): (ReferenceArray | number)[] {
  return sample.inputs.map((input, i) =>
    typeof input === "number" ? Math.fround(input) : referenceArray(input, values[i] as DTypeArray),
  );
}

/** Forward, and backward from every output that is in the tape. Nothing stays on the backend. */
export async function runSample(
  backend: Backend,
  prepared: PreparedSample,
  options: RunOptions = {},
): Promise<SampleRun> {
  const reads = withBackend(backend, () => scope(() => runInScope(prepared, options)));
  const { op, values } = prepared;
  const [outputs, outputsAfter, gradients] = await Promise.all([
    Promise.all(reads.outputs),
    Promise.all(reads.outputsAfter),
    Promise.all(reads.gradients),
  ]);
  for (const [when, inputs] of Object.entries(reads.inputsAfter)) {
    for (const [i, read] of inputs.entries()) {
      if (read !== undefined)
        expectSameBits(await read, values[i] as DTypeArray, `${op.name}, input ${i} after ${when}`);
    }
  }
  for (const [i, read] of reads.cotangentsAfter.entries()) {
    if (read !== undefined)
      expectSameBits(await read, reads.cotangents[i]!, `${op.name}, cotangent ${i} after backward`);
  }
  outputs.forEach((output, i) => {
    expectSameBits(outputsAfter[i]!, output, `${op.name}, output ${i} after backward`);
  });
  const { shapes, requiresGrad, cotangents } = reads;
  return { shapes, outputs, requiresGrad, gradients, cotangents };
}

type Read = Promise<DTypeArray>;

/** What is being read of a sample; every read sees the numbers as they were when it began. */
interface SampleReads {
  readonly shapes: readonly Shape[];
  readonly requiresGrad: readonly boolean[];
  readonly cotangents: readonly Float32Array[];
  readonly outputs: readonly Read[];
  readonly outputsAfter: readonly Read[];
  readonly cotangentsAfter: readonly (Read | undefined)[];
  readonly inputsAfter: Readonly<Record<"the call" | "backward", readonly (Read | undefined)[]>>;
  readonly gradients: readonly (Read | undefined)[];
}

function runInScope({ op, sample, values, stored }: PreparedSample, options: RunOptions): SampleReads {
  const inputs = sample.inputs.map((input, i) => {
    if (typeof input === "number") return input;
    const made = sampleTensor(input.shape, values[i] as DTypeArray, options.layout);
    if (made.dtype === "f32") made.requiresGrad = true;
    return made;
  });
  const readInputs = () => inputs.map((input) => (input instanceof Tensor ? input.data() : undefined));
  const made = options.call ? options.call(inputs as Tensor[], sample.attrs) : op.call(inputs, sample.attrs);
  const outputs = made.map((output) => output.data());
  const afterCall = readInputs();
  const cotangents = cotangentsOf(made.map(({ size }) => size)).map((cotangent) => roundedBy(stored, cotangent));
  const requiresGrad = made.map((output) => output.requiresGrad);
  const cotangentsAfter = made.map((output, i) => {
    if (!output.requiresGrad) return undefined;
    const cotangent = sampleTensor(output.shape, cotangents[i]!, options.cotangentLayout);
    output.backward({ cotangent, retainGraph: true });
    return cotangent.data();
  });
  return {
    shapes: made.map((output) => output.shape),
    requiresGrad,
    cotangents,
    outputs,
    outputsAfter: made.map((output) => output.data()),
    cotangentsAfter,
    inputsAfter: { "the call": afterCall, backward: readInputs() },
    gradients: inputs.map((input) => (input instanceof Tensor ? input.grad?.data() : undefined)),
  };
}

/** Random numbers of the outputs' lengths. */
export function cotangentsOf(lengths: readonly number[]): Float32Array[] {
  const generator = new Generator(cotangentSeed);
  return lengths.map((length) => {
    const cotangent = new Float32Array(length);
    generator.fillNormal(cotangent);
    return cotangent;
  });
}

/** 32 hex digits over outputs and gradients. Every NaN counts as the same one: which one is made differs between machines. */
export function hashRun({ outputs, gradients }: SampleRun): string {
  const parts = [...outputs, ...gradients.filter((gradient) => gradient !== undefined)];
  return hash128(...parts.map((part) => new Uint8Array(canonical(part).buffer)));
}

/** As words, the way memory holds them. */
function canonical(values: DTypeArray): DTypeArray {
  if (values instanceof Uint8Array) return Int32Array.from(values);
  return values.map((value) => (Number.isNaN(value) ? Number.NaN : value));
}
