/** @file Gradients of gradients: what backward({ createGraph }) records of a vjp, against differences of differences. */
import type { Backend } from "../backend/backend.js";
import { withBackend } from "../backend/current-backend.js";
import { LockstepError } from "../errors.js";
import { add, mul } from "../ops/arithmetic.js";
import type { ReferenceArray } from "../ops/contract.js";
import { sum } from "../ops/expand-sum.js";
import { Tensor } from "../ops/tensor-methods.js";
import { Generator } from "../rng/generator.js";
import type { DTypeArray } from "../tensor/dtype.js";
import { scope } from "../tensor/scope.js";
import { CheckError, expectClose } from "./expect-close.js";
import { numericalGradient } from "./numerical-gradient.js";
import { sampleTensor } from "./sample-inputs.js";
import { cotangentsOf, type PreparedSample, referencesOf } from "./sample-run.js";

/** Fused vjps: E_SECOND_DERIVATIVE instead of a wrong number. */
const firstOrderOnly: ReadonlySet<string> = new Set([
  "causalAttention",
  "channelNorm",
  "crossEntropy",
  "ctc",
  "embedding",
  "layerNorm",
  "linearCrossEntropy",
  "logSoftmax",
  "packedCausalAttention",
  "rmsNorm",
  "softmax",
  ...["gru", "lstm", "rnnRelu", "rnnTanh"],
]);

/** Samples with more elements than this cost too much. */
const maxElements = 120;
const directionSeed = 13;
const relativeStep = 1e-4;

export function hasSecondDerivative({ op, sample, values }: PreparedSample): boolean {
  const count = values.reduce<number>((total, array) => total + (typeof array === "number" ? 0 : array.length), 0);
  const isFloat = values.some((array) => array instanceof Float32Array);
  return (
    op.notDifferentiable === undefined && sample.checkVjp !== false && isFloat && count > 0 && count <= maxElements
  );
}

/**
 * With F(x, u) = sum of outputs(x) * u and a random direction v: the derivative of (dF/dx) v by x and by the cotangents u.
 * A fused op must refuse.
 */
export async function checkSecondDerivative(backend: Backend, prepared: PreparedSample): Promise<void> {
  const { op } = prepared;
  const directions = directionsOf(prepared);
  const find = () => withBackend(backend, () => scope(() => findSecond(prepared, directions)));
  const found = find();
  const before = backend.memory().numBuffers;
  await readsOf(find());
  const numLeft = backend.memory().numBuffers - before;
  if (numLeft !== 0)
    throw new CheckError(`${op.name}: a second derivative left ${numLeft} buffers; there must be none.`);
  if (found === "refused" || firstOrderOnly.has(op.name)) {
    if (found === "refused" && firstOrderOnly.has(op.name)) return;
    throw new CheckError(
      `${op.name}: its second derivative is ${found === "refused" ? "refused" : "not refused"}; testing/second-derivative.ts says otherwise.`,
    );
  }
  const expected = expectSecond(prepared, { directions, cotangents: found.cotangents });
  const compare = (actual: ArrayLike<number> | undefined, wanted: Float64Array, what: string): void => {
    const magnitude = wanted.reduce((a, b) => Math.max(a, Math.abs(b)), 1);
    expectClose(actual ?? new Float32Array(wanted.length), wanted, {
      tolerance: { relative: 1e-4, absolute: 1e-4 * magnitude },
      because: "differences of differences",
      what: `${op.name}, second derivative by ${what}`,
    });
  };
  const [byInput, byCotangent] = [await Promise.all(found.byInput), await Promise.all(found.byCotangent)];
  expected.byInput.forEach((wanted, i) => {
    if (wanted !== undefined) compare(byInput[i], wanted, `input ${i}`);
  });
  expected.byCotangent.forEach((wanted, i) => {
    compare(byCotangent[i], wanted, `cotangent ${i}`);
  });
}

/** Ends with the last read that is under way. */
async function readsOf(found: Found | "refused"): Promise<void> {
  if (found !== "refused") await Promise.all([...found.byInput, ...found.byCotangent]);
}

type Direction = Float32Array | undefined;

function directionsOf({ values }: PreparedSample): Direction[] {
  const generator = new Generator(directionSeed);
  return values.map((array) => {
    if (!(array instanceof Float32Array)) return undefined;
    const direction = new Float32Array(array.length);
    generator.fillNormal(direction);
    return direction;
  });
}

interface Found {
  readonly cotangents: readonly Float32Array[];
  readonly byInput: readonly (Promise<DTypeArray> | undefined)[];
  readonly byCotangent: readonly (Promise<DTypeArray> | undefined)[];
}

function findSecond({ op, sample, values }: PreparedSample, directions: readonly Direction[]): Found | "refused" {
  const leafOf = (shape: readonly number[], numbers: DTypeArray): Tensor => {
    const leaf = sampleTensor(shape, numbers);
    if (leaf.dtype === "f32") leaf.requiresGrad = true;
    return leaf;
  };
  const inputs = sample.inputs.map((input, i) =>
    typeof input === "number" ? input : leafOf(input.shape, values[i] as DTypeArray),
  );
  const outputs = op.call(inputs, sample.attrs);
  const cotangents = cotangentsOf(outputs.map(({ size }) => size));
  const leaves = outputs.map((output, i) => leafOf(output.shape, cotangents[i]!));
  try {
    let total: Tensor | undefined;
    outputs.forEach((output, i) => {
      if (output.requiresGrad) output.backward({ cotangent: leaves[i]!, createGraph: true });
    });
    inputs.forEach((input, i) => {
      if (!(input instanceof Tensor) || input.grad === undefined) return;
      const part = sum(mul(input.grad, sampleTensor(input.shape, directions[i]!)));
      total = total === undefined ? part : add(total, part);
    });
    const firsts = [...inputs, ...leaves].map((leaf) => {
      const first = leaf instanceof Tensor ? leaf.grad : undefined;
      if (leaf instanceof Tensor) leaf.grad = undefined;
      return first;
    });
    try {
      if (total?.requiresGrad === true) total.backward();
    } finally {
      for (const first of firsts) first?.dispose();
    }
  } catch (error) {
    if (error instanceof LockstepError && error.code === "E_SECOND_DERIVATIVE") return "refused";
    throw error;
  }
  const gradOf = (leaf: Tensor | number) => (leaf instanceof Tensor ? leaf.grad?.data() : undefined);
  return { cotangents, byInput: inputs.map(gradOf), byCotangent: leaves.map(gradOf) };
}

function expectSecond(
  prepared: PreparedSample,
  {
    directions,
    cotangents,
  }: { readonly directions: readonly Direction[]; readonly cotangents: readonly Float32Array[] },
): { byInput: (Float64Array | undefined)[]; byCotangent: Float64Array[] } {
  const { op, sample } = prepared;
  const moved = (step: number): (ReferenceArray | number)[] =>
    referencesOf(prepared).map((array, i) => {
      const direction = directions[i];
      if (typeof array === "number" || direction === undefined) return array;
      return { shape: array.shape, values: array.values.map((value, k) => value + step * direction[k]!) };
    });
  const wanted = directions.map((direction) => direction !== undefined);
  const slope = (above: ArrayLike<number>, below: ArrayLike<number>): Float64Array =>
    Float64Array.from(above, (value, k) => (value - below[k]!) / (2 * relativeStep));
  const at = (step: number) => {
    const references = moved(step);
    const outputs = op.reference(references, sample.attrs);
    return {
      gradients: numericalGradient(op, { references, attrs: sample.attrs, cotangents, wanted }),
      outputs: cotangents.map((_, i) => outputs[i]!.values),
    };
  };
  const [above, below] = [at(relativeStep), at(-relativeStep)];
  return {
    byInput: above.gradients.map((gradient, i) => gradient && slope(gradient, below.gradients[i]!)),
    byCotangent: above.outputs.map((output, i) => slope(output, below.outputs[i]!)),
  };
}
