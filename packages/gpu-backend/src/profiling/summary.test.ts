import { expect, test } from "vitest";
import type { LaunchRecord, OpRecord } from "./records.js";
import { summarise } from "./summary.js";
import { chromeTrace, deviceOffsetMs } from "./trace-events.js";

const peak = { bytesPerSecond: 8000, flopsPerSecond: 10_000 };

const launch = (kernel: string, beginMs?: number, endMs = 0): LaunchRecord => {
  const device = beginMs === undefined ? {} : { device: { beginMs, endMs } };
  return { kernel, readBytes: 8, writtenBytes: 4, startMs: 0, endMs: 0, ...device };
};
const op = (name: string, flops: number, launches: LaunchRecord[]): OpRecord => {
  return { op: name, flops, readBytes: 1, writtenBytes: 1, startMs: 0, endMs: 0, launches, usedBytes: 0 };
};

test("an op has the time, bytes and rates of its launches; a kernel its op's flops where it alone computed them", () => {
  const ops = [
    op("matmul", 30, [launch("tile", 0, 4)]),
    op("attention", 50, [launch("tile", 4, 5), launch("softmax", 5, 7)]),
    op("matmul", 10, [launch("narrow", 7, 8), launch("narrow", 8, 10)]),
  ];
  const { lines, totalMs, numLaunches, numUntimed } = summarise(ops, peak, true);
  expect([totalMs, numLaunches, numUntimed]).toEqual([10, 5, 0]);
  expect(lines.map(({ name, share, numLaunches: own }) => [name, share, own])).toEqual([
    ["matmul", 0.7, 3],
    ["attention", 0.3, 2],
  ]);
  const [matmul, attention] = lines;
  expect(matmul).toMatchObject({ count: 2, totalMs: 7, medianMs: 3.5, readBytes: 24, writtenBytes: 12, flops: 40 });
  expect(matmul!.bytesPerSecond).toBeCloseTo(36_000 / 7, 9);
  expect(matmul!.bytesShare).toBeCloseTo(36_000 / 7 / 8000, 9);
  expect(matmul!.flopsShare).toBeCloseTo(40_000 / 7 / 10_000, 9);
  expect(matmul!.kernels.map(({ name, count, flops, medianMs }) => [name, count, flops, medianMs])).toEqual([
    ["tile", 1, 30, 4],
    ["narrow", 2, 10, 1.5],
  ]);
  expect(attention!.kernels.map(({ name, flops, flopsPerSecond }) => [name, flops, flopsPerSecond])).toEqual([
    ["softmax", undefined, undefined],
    ["tile", undefined, undefined],
  ]);
});

test("launches without a time are counted, and their op has none", () => {
  const { lines, numUntimed, totalMs } = summarise([op("copy", 0, [launch("copy"), launch("copy", 1, 2)])], peak, true);
  expect([numUntimed, totalMs]).toEqual([1, 0]);
  expect(lines[0]).toMatchObject({ totalMs: undefined, medianMs: undefined, bytesPerSecond: undefined, readBytes: 16 });
});

test("the device's clock is moved so that no submit runs before it was submitted, as little as that takes", () => {
  const submits = [
    { submitMs: 100, launches: [launch("a", 5, 6)] },
    { submitMs: 130, launches: [launch("b"), launch("c", 25, 26), launch("d", 25.5, 27)] },
  ];
  expect(deviceOffsetMs(submits)).toBe(105);
  const spans = [{ name: "step 1", startMs: 90, endMs: 140 }];
  const { traceEvents } = chromeTrace({ spans, ops: [], submits, about: {} });
  const kernels = traceEvents.filter(({ cat }) => cat === "kernel");
  expect(kernels.map(({ name, ts, dur }) => [name, ts, dur])).toEqual([
    ["a", 20_000, 1000],
    ["c", 40_000, 1000],
    ["d", 41_000, 1000],
  ]);
  expect(deviceOffsetMs([])).toBe(0);
});
