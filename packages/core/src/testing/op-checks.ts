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
    if (output instanceof Int32Array) expectClose(output, expected[i]!.values, { dtype: "i32", what });
    else expectClose(output, expected[i]!.values, { ...toleranceOptionsOf(prepared), what });
  });
}

/** Gradients against central differences on the f64 reference. */
export function checkVjp(prepared: PreparedSample, run: SampleRun): void {
  expectGradients(prepared, run, "gradient of input");
}

/** An op that says it has no gradient records nothing. */
export function checkNotDifferentiable({ op }: PreparedSample, run: SampleRun): void {
  if (!run.requiresGrad.includes(true)) return;
  throw new CheckError(`${op.name}: it is not differentiable (${op.notDifferentiable}), but its output requires grad.`);
}

function expectGradients(prepared: PreparedSample, run: SampleRun, what: string): void {
  const { op, sample, values } = prepared;
  const wanted = values.map((array) => array instanceof Float32Array);
  const references = referencesOf(prepared);
  const { cotangents } = run;
  const expected = numericalGradient(op, { references, attrs: sample.attrs, cotangents, wanted });
  const table = toleranceOptionsOf(prepared);
  expected.forEach((gradient, i) => {
    if (gradient === undefined) return;
    const actual = run.gradients[i] ?? new Float32Array(gradient.length);
    // A gradient adds up other things than the output does: it is measured by its own largest element, too.
    const magnitude = gradient.reduce(maxAbs, table.magnitude ?? 1);
    const reductionLength = 4 * Math.max(table.reductionLength ?? 1, run.cotangents[0]!.length / gradient.length);
    expectClose(actual, gradient, { reductionLength, magnitude, what: `${op.name}, ${what} ${i}` });
  });
}

/** A fused op's specification in simple ops gives the same values and gradients, within rounding. */
export function checkComposite(backend: Backend, prepared: PreparedSample, run: SampleRun): void {
  const { op, sample } = prepared;
  const composite = runSample(backend, prepared, { call: op.composite });
  const table = toleranceOptionsOf(prepared);
  composite.outputs.forEach((output, i) => {
    expectClose(output, run.outputs[i]!, { ...table, what: `${op.name}, output ${i} of the composite` });
  });
  if (sample.checkVjp !== false) expectGradients(prepared, composite, "the composite's gradient of input");
}

/** Awkward layouts of inputs and cotangents give the bits of contiguous ones. */
export function checkLayout(
  backend: Backend,
  prepared: PreparedSample,
  layout: Exclude<SampleLayout, "contiguous">,
): void {
  const { op } = prepared;
  const sample = layout === "expanded" ? withExpandedValues(prepared) : prepared;
  const run = runSample(backend, sample);
  expectSameRun(runSample(backend, sample, { layout }), run, `${op.name} of ${layout} inputs`);
  if (layout === "expanded") return;
  expectSameRun(runSample(backend, sample, { cotangentLayout: layout }), run, `${op.name} with a ${layout} cotangent`);
}

export function hasLayout({ sample }: PreparedSample, layout: SampleLayout): boolean {
  return sample.inputs.some((input) => typeof input !== "number" && isWorthTrying(input.shape, layout));
}

/** Another backend, such as one with more threads, gives the same bits. */
export function checkSameBits(
  twin: Backend,
  prepared: PreparedSample,
  { run, name }: { readonly run: SampleRun; readonly name: string },
): void {
  expectSameRun(runSample(twin, prepared), run, `${prepared.op.name} with ${name}`);
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
export function checkNoLeak(backend: Backend, prepared: PreparedSample): void {
  runSample(backend, prepared);
  const before = backend.memory();
  runSample(backend, prepared);
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

function toleranceOptionsOf({ op, sample, values }: PreparedSample): ToleranceOptions {
  const shapes = sample.inputs.map((input) => (typeof input === "number" ? [] : input.shape));
  const reductionLength = op.reductionLength(shapes, sample.attrs);
  if (reductionLength <= 1) return { reductionLength: 1 };
  let magnitude = 1;
  for (const array of values) if (array instanceof Float32Array) magnitude = array.reduce(maxAbs, magnitude);
  return { reductionLength, magnitude };
}

function maxAbs(a: number, b: number): number {
  return Math.max(a, Math.abs(b));
}
