/** @file What the suite checks of one sample. Each check throws a CheckError. */
import type { Backend } from "../backend/backend.js";
import type { DTypeArray } from "../tensor/dtype.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import { CheckError, expectClose, expectSameBits } from "./expect-close.js";
import { numericalGradient } from "./numerical-gradient.js";
import { isWorthTrying, type SampleLayout } from "./sample-inputs.js";
import {
  hashRun,
  type PreparedSample,
  referencesOf,
  runSample,
  type SampleRun,
  withExpandedValues,
} from "./sample-run.js";
import type { ToleranceOptions } from "./tolerance.js";

/** Visible outputs against the f64 reference, shapes included. No input may be written (runSample sees to it). */
export function checkValues(prepared: PreparedSample, run: SampleRun): void {
  const { op, sample } = prepared;
  const expected = op.reference(referencesOf(prepared), sample.attrs);
  run.outputs.forEach((output, i) => {
    if (!shapesEqual(run.shapes[i]!, expected[i]!.shape)) {
      throw new CheckError(
        `${op.name}: output ${i} is ${formatShape(run.shapes[i]!)}; it must be ${formatShape(expected[i]!.shape)}.`,
      );
    }
    const what = `${op.name}, output ${i}`;
    if (!(output instanceof Float32Array)) expectClose(output, expected[i]!.values, { dtype: "i32", what });
    else expectClose(output, inRange(prepared, expected[i]!.values), { ...toleranceOptionsOf(prepared), what });
  });
}

/** Gradients against central differences on the f64 reference. */
export function checkVjp(prepared: PreparedSample, run: SampleRun): void {
  const expected = differencesOf(prepared, run.cotangents);
  const zeros = expected.map((gradient) => gradient && new Float32Array(gradient.length));
  const actual = expected.map((gradient, i) => gradient && (run.gradients[i] ?? zeros[i]!));
  const numOutputs = run.cotangents[0]!.length;
  expectGradients(prepared, { actual, expected, numOutputs, what: "gradient of input" });
}

interface Differences {
  readonly reference: PreparedSample["op"]["reference"];
  readonly stored: PreparedSample["stored"];
  readonly gradients: readonly (Float64Array | undefined)[];
}

/** Central differences are the slowest part and the same on every backend. */
const knownDifferences = new WeakMap<PreparedSample["sample"], Differences>();

function differencesOf(
  { op, sample, values, stored }: PreparedSample,
  cotangents: readonly Float32Array[],
): readonly (Float64Array | undefined)[] {
  const known = knownDifferences.get(sample);
  if (known?.reference === op.reference && known.stored === stored) return known.gradients;
  const wanted = values.map((array) => array instanceof Float32Array);
  const references = referencesOf({ op, sample, values });
  const gradients = numericalGradient(op, { references, attrs: sample.attrs, cotangents, wanted });
  knownDifferences.set(sample, { reference: op.reference, stored, gradients });
  return gradients;
}

/** An op that says it has no gradient records nothing. */
export function checkNotDifferentiable({ op }: PreparedSample, run: SampleRun): void {
  if (!run.requiresGrad.includes(true)) return;
  throw new CheckError(`${op.name}: it is not differentiable (${op.notDifferentiable}), but its output requires grad.`);
}

interface GradientPair {
  readonly actual: readonly (ArrayLike<number> | undefined)[];
  readonly expected: readonly (Float32Array | Float64Array | undefined)[];
  /** Elements of the first output: a gradient of fewer elements has added up that many more. */
  readonly numOutputs: number;
  readonly what: string;
}

/** A gradient adds up other things than the output does: it is measured by its own largest element, too. */
function expectGradients(prepared: PreparedSample, { actual, expected, numOutputs, what }: GradientPair): void {
  const table = toleranceOptionsOf(prepared);
  expected.forEach((gradient, i) => {
    if (gradient === undefined) return;
    let magnitude = table.magnitude ?? 1;
    for (const value of gradient) magnitude = maxAbs(magnitude, value);
    const reductionLength = 4 * Math.max(table.reductionLength ?? 1, numOutputs / gradient.length);
    const wanted = inRange(prepared, gradient);
    const { stored } = prepared;
    expectClose(actual[i]!, wanted, { reductionLength, magnitude, stored, what: `${prepared.op.name}, ${what} ${i}` });
  });
}

/** A fused op's specification in simple ops gives the same values and gradients, within rounding. */
export async function checkComposite(backend: Backend, prepared: PreparedSample, run: SampleRun): Promise<void> {
  const { op } = prepared;
  const composite = await runSample(backend, prepared, { call: op.composite });
  const table = toleranceOptionsOf(prepared);
  composite.outputs.forEach((output, i) => {
    expectClose(output, run.outputs[i]!, { ...table, what: `${op.name}, output ${i} of the composite` });
  });
  const expected = run.gradients as GradientPair["expected"];
  const numOutputs = run.cotangents[0]!.length;
  const what = "the composite's gradient of input";
  expectGradients(prepared, { actual: composite.gradients, expected, numOutputs, what });
}

/** Awkward layouts of inputs and cotangents give the bits of contiguous ones. */
export async function checkLayout(
  backend: Backend,
  prepared: PreparedSample,
  layout: Exclude<SampleLayout, "contiguous">,
): Promise<void> {
  const { op } = prepared;
  const sample = layout === "expanded" ? withExpandedValues(prepared) : prepared;
  const run = await runSample(backend, sample);
  expectSameRun(await runSample(backend, sample, { layout }), run, `${op.name} of ${layout} inputs`);
  if (layout === "expanded") return;
  expectSameRun(
    await runSample(backend, sample, { cotangentLayout: layout }),
    run,
    `${op.name} with a ${layout} cotangent`,
  );
}

export function hasLayout({ sample }: PreparedSample, layout: SampleLayout): boolean {
  return sample.inputs.some((input) => typeof input !== "number" && isWorthTrying(input.shape, layout));
}

/** Another backend, such as one with more threads, gives the same bits. */
export async function checkSameBits(
  twin: Backend,
  prepared: PreparedSample,
  { run, name }: { readonly run: SampleRun; readonly name: string },
): Promise<void> {
  expectSameRun(await runSample(twin, prepared), run, `${prepared.op.name} with ${name}`);
}

function expectSameRun(actual: SampleRun, expected: SampleRun, what: string): void {
  actual.outputs.forEach((output, i) => {
    expectSameBits(output, expected.outputs[i]!, `${what}, output ${i}`);
  });
  const none: DTypeArray = new Float32Array(0);
  actual.gradients.forEach((gradient, i) => {
    expectSameBits(gradient ?? none, expected.gradients[i] ?? none, `${what}, gradient of input ${i}`);
  });
}

/** The second run leaves as many buffers as it found. The first may keep what the backend reuses. */
export async function checkNoLeak(backend: Backend, prepared: PreparedSample): Promise<void> {
  await runSample(backend, prepared);
  const before = backend.memory();
  await runSample(backend, prepared);
  const after = backend.memory();
  if (after.numBuffers === before.numBuffers && after.usedBytes === before.usedBytes) return;
  throw new CheckError(
    `${prepared.op.name}: ${after.numBuffers - before.numBuffers} buffers (${after.usedBytes - before.usedBytes} bytes) were left behind; there must be none.`,
    { before: before.numBuffers, after: after.numBuffers },
  );
}

/** The committed bits. */
export function checkHash({ op, sample }: PreparedSample, run: SampleRun, expected: string | undefined): void {
  const hash = hashRun(run);
  if (hash === expected) return;
  const found = expected === undefined ? "none is committed" : `${expected} is committed`;
  throw new CheckError(
    `${op.name}: ${sample.name}: outputs and gradients hash to ${hash}, but ${found}. A new op or sample needs its hash; a changed one changes every run's numbers, so raise numericsVersion.`,
    { hash, expected },
  );
}

/** What overflows where it is stored is expected as the infinity that it becomes. */
function inRange({ stored }: PreparedSample, values: Float32Array | Float64Array): ArrayLike<number> {
  if (stored === undefined) return values;
  return values.map((value) => (Number.isFinite(stored.round(value)) ? value : stored.round(value)));
}

function toleranceOptionsOf({ op, sample, values, stored }: PreparedSample): ToleranceOptions {
  const shapes = sample.inputs.map((input) => (typeof input === "number" ? [] : input.shape));
  const reductionLength = op.reductionLength(shapes, sample.attrs);
  if (reductionLength <= 1) return { reductionLength: 1, stored };
  let magnitude = 1;
  for (const array of values) if (array instanceof Float32Array) magnitude = array.reduce(maxAbs, magnitude);
  return { reductionLength, magnitude, stored };
}

function maxAbs(a: number, b: number): number {
  return Math.max(a, Math.abs(b));
}
