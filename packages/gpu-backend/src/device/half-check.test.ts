import type { Backend, TensorView } from "@lockstep/core";
import { expect, test } from "vitest";
import { halfBits, halfValue } from "../memory/half-floats.js";
import { assertHalvesWork } from "./half-check.js";

interface Wrong {
  readonly read?: (value: number) => number;
  readonly store?: (value: number) => number;
  /** Storing an odd element takes its even neighbour along. */
  readonly clobbers?: boolean;
  readonly add?: (sum: number, term: number) => number;
}

interface HostBuffer {
  readonly byteLength: number;
  readonly values: Float32Array;
  readonly isHalf: boolean;
}

const rounded = (value: number): number => halfValue(halfBits(value));

/** A device on host arrays that is right but for what is asked for. */
function hostDevice({ read = (value) => value, store = rounded, clobbers = false, add = (a, b) => a + b }: Wrong) {
  const of = ({ buffer }: TensorView): HostBuffer => buffer as HostBuffer;
  const at = (view: TensorView, i: number): number => view.offset + i * view.strides[0]!;
  const numLive = { value: 0 };
  const device = {
    allocate: (byteLength: number, fidelity: string): HostBuffer => {
      numLive.value++;
      return { byteLength, values: new Float32Array(byteLength / 4), isHalf: fidelity === "reducible" };
    },
    free: () => numLive.value--,
    write: (buffer: HostBuffer, offset: number, source: Float32Array) =>
      buffer.values.set(buffer.isHalf ? source.map(rounded) : source, offset),
    read: async (view: TensorView) =>
      Float32Array.from({ length: view.shape[0]! }, (_, i) => of(view).values[at(view, i)]!),
    kernels: {
      copy: (from: TensorView, to: TensorView) => {
        for (let i = 0; i < to.shape[0]!; i++) {
          const value = of(from).values[at(from, i)]!;
          const seen = of(from).isHalf ? read(value) : value;
          of(to).values[at(to, i)] = of(to).isHalf ? store(seen) : seen;
          if (clobbers && to.strides[0] === 2 && at(to, i) % 2 === 1) of(to).values[at(to, i) - 1] = 0;
        }
      },
      reduce: (_kind: string, x: TensorView, _axis: unknown, out: TensorView) => {
        of(out).values[0] = of(x).values.reduce(add, 0);
      },
    },
  };
  return { backend: device as unknown as Backend, numLive };
}

test("a device that is right passes, and nothing stays allocated", async () => {
  const { backend, numLive } = hostDevice({});
  await assertHalvesWork(backend);
  expect(numLive.value).toBe(0);
});

const truncated = (value: number): number => {
  const bits = halfBits(value);
  return Math.abs(halfValue(bits)) > Math.abs(value) ? halfValue(bits - 1) : halfValue(bits);
};

test.each<[string, Wrong, RegExp]>([
  ["flushes what lies below the normal range", { read: (x) => (Math.abs(x) < 2 ** -14 ? 0 : x) }, /fails at reading/],
  ["rounds towards zero", { store: truncated }, /storing f32 .* number \d+ is 1\.0009765625, expected 1\.001953125/],
  ["saturates", { store: (x) => Math.max(-65_504, Math.min(65_504, rounded(x))) }, /is 65504, expected Infinity/],
  ["writes whole words", { clobbers: true }, /fails at storing beside a neighbour/],
  ["adds up in 16 bits", { add: (a, b) => rounded(a + b) }, /adding up 4,096 numbers in f32: number 0 is \d+/],
])("a device that %s is refused with what came and what to do", async (_what, wrong, text) => {
  const { backend, numLive } = hostDevice(wrong);
  await expect(assertHalvesWork(backend)).rejects.toThrowError(text);
  await expect(assertHalvesWork(backend)).rejects.toMatchObject({ code: "E_DEVICE", message: /use the storage "f32"/ });
  expect(numLive.value).toBe(0);
});
