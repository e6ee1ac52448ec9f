/**
 * @file Asks a device whether its f16 is IEEE's: reading, storing, neighbours that share a word, sums in f32. A driver that gets one of them
 * wrong would train to other numbers without a word.
 */
import { type Backend, BackendError, type TensorView } from "@lockstep/core";
import { halfBits, halfValue } from "../memory/half-floats.js";

/** Ties both ways, the ends of the normal range, what lies below it, overflow, signs, NaN. */
const stored = [
  ...[0, -0, 1, -1, 1 / 3, 1 + 2 ** -11, 1 + 3 * 2 ** -11, -(1 + 2 ** -11), 2 ** -14, 2 ** -14 - 2 ** -25],
  ...[2 ** -24, 2 ** -25, 3 * 2 ** -26, 3 * 2 ** -25, 2 ** -26, 1e-40, 1023.5 * 2 ** -24, 65_504, 65_519.996, 65_520],
  ...[-65_520, 3e38, -3e38, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 2049, 2051],
].map(Math.fround);
/** Every exponent, with the least, the largest and a mixed fraction, of both signs. */
const halves = Array.from({ length: 64 }, (_, top) => [0, 0x3ff, 0x155].map((digits) => (top << 10) | digits)).flat();
const sumLength = 4_096;

/** @throws {BackendError} E_DEVICE with what was expected and what came. */
export async function assertHalvesWork(backend: Backend): Promise<void> {
  const buffers: TensorView["buffer"][] = [];
  const room = (length: number, fidelity: "exact" | "reducible"): TensorView => {
    // As large as the smallest tensor that is stored in 16 bits, whatever that is.
    const buffer = backend.allocate(4 * Math.max(length, sumLength), fidelity);
    buffers.push(buffer);
    return { buffer, offset: 0, shape: [length], strides: [1], dtype: "f32" };
  };
  const made = (values: readonly number[], fidelity: "exact" | "reducible"): TensorView => {
    const view = room(values.length, fidelity);
    backend.write(view.buffer, 0, Float32Array.from(values));
    return view;
  };
  try {
    const reading = halves.map(halfValue);
    const read = room(reading.length, "exact");
    backend.kernels.copy(made(reading, "reducible"), read);
    expectSame("reading binary16", await backend.read(read), reading);

    const written = room(stored.length, "reducible");
    backend.kernels.copy(made(stored, "exact"), written);
    const rounded = stored.map((value) => halfValue(halfBits(value)));
    expectSame("storing f32 as binary16", await backend.read(written), rounded);

    const pairs = made(new Array<number>(64).fill(1), "reducible");
    const odd = { ...pairs, offset: 1, shape: [32], strides: [2] };
    backend.kernels.copy(made(new Array<number>(32).fill(2), "exact"), odd);
    const alternating = Array.from({ length: 64 }, (_, i) => 1 + (i % 2));
    expectSame("storing beside a neighbour in one word", await backend.read(pairs), alternating);

    const term = 1 + 2 ** -10;
    const sum = room(1, "exact");
    const terms = made(new Array<number>(sumLength).fill(term), "reducible");
    backend.kernels.reduce("sum", terms, { outer: 1, axisLength: sumLength, inner: 1 }, sum);
    expectSame("adding up 4,096 numbers in f32", await backend.read(sum), [sumLength * term]);
  } finally {
    for (const buffer of buffers) backend.free(buffer);
  }
}

function expectSame(what: string, actual: ArrayLike<number>, expected: readonly number[]): void {
  const i = expected.findIndex((value, at) => !Object.is(actual[at], value));
  if (i < 0) return;
  throw new BackendError(
    `webgpu: this device fails at ${what}: number ${i} is ${textOf(actual[i]!)}, expected ${textOf(expected[i]!)}. Its driver's f16 is not IEEE 754's; use the storage "f32" (--precision f32).`,
    { what, index: i, actual: actual[i], expected: expected[i] },
    "E_DEVICE",
  );
}

function textOf(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}
