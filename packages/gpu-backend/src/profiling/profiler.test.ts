import {
  type Backend,
  createCpuBackend,
  type DTypeArray,
  embedding,
  nn,
  optim,
  scope,
  tensor,
  withBackend,
} from "@lockstep/core";
import { expect, test } from "vitest";
import { describeGpu, opening } from "../testing.testkit.js";
import { Profiler } from "./profiler.js";
import { summarise } from "./summary.js";
import { tickingClock } from "./ticking-clock.testkit.js";
import { chromeTrace, type TraceEvent } from "./trace-events.js";

const peak = { bytesPerSecond: 1e9, flopsPerSecond: 1e9 };

/** A product of 6 x 5 and 5 x 4, its square root element-wise, and a softmax of its transpose. */
function compute(backend: Backend): Promise<DTypeArray> {
  return withBackend(backend, () =>
    scope(() => {
      const a = tensor(
        Float32Array.from({ length: 30 }, (_, i) => i / 30),
        { shape: [6, 5] },
      );
      const b = tensor(
        Float32Array.from({ length: 20 }, (_, i) => i / 20),
        { shape: [5, 4] },
      );
      const read = a.matmul(b).sqrt().transpose(0, 1).softmax(-1).data();
      return { read };
    }),
  ).read;
}

const close = (actual: ArrayLike<number>, expected: ArrayLike<number>): number =>
  Math.max(...Array.from(actual, (value, i) => Math.abs(value - expected[i]!)));

test("on the CPU every op is one call with its time, work and bytes held, and nothing is watched after the end", async () => {
  const backend = createCpuBackend();
  const { kernels, elementwise } = backend;
  const expected = await compute(backend);
  const profiler = new Profiler(backend, { nowMs: tickingClock() });
  profiler.start();
  expect([...(await compute(backend))]).toEqual([...expected]);
  await profiler.stop();
  expect(backend.kernels).toBe(kernels);
  expect(backend.elementwise).toBe(elementwise);
  await compute(backend);

  const summary = summarise(profiler.ops, peak, false);
  const matmul = summary.lines.find(({ name }) => name === "matmul")!;
  expect(matmul).toMatchObject({ count: 1, numLaunches: 0, kernels: [], totalMs: 1, medianMs: 1 });
  expect(matmul).toMatchObject({ flops: 2 * 6 * 5 * 4, readBytes: 4 * 50, writtenBytes: 4 * 24 });
  expect(matmul.bytesPerSecond).toBe(4 * 74 * 1000);
  expect(matmul.flopsShare).toBe((240 * 1000) / 1e9);
  expect(profiler.ops.map(({ op }) => op)).toEqual(["matmul", "elementwise sqrt", "copy", "softmax"]);
  expect(summary.totalMs).toBe(4);
  expect(profiler.ops.every(({ usedBytes }) => usedBytes > 0)).toBe(true);
});

test("what a backend copies for an op of its own accord is part of that op", async () => {
  const backend = createCpuBackend();
  const profiler = new Profiler(backend, { nowMs: tickingClock() });
  const [x, y] = withBackend(backend, () => [
    tensor(new Float32Array(60), { shape: [3, 4, 5] }).transpose(0, 2),
    tensor(new Float32Array(60), { shape: [5, 4, 3] }),
  ]);
  profiler.start();
  withBackend(backend, () => x!.add(y!).dispose());
  await profiler.stop();
  expect(profiler.ops.map(({ op, readBytes, writtenBytes }) => [op, readBytes, writtenBytes])).toEqual([
    ["elementwise add", 480, 240],
  ]);
});

/** Slices of one track, each with the innermost slice it lies in. Fails where two overlap in part. */
function expectNested(events: readonly TraceEvent[]): void {
  const slices = events.filter(({ ph }) => ph === "X").sort((x, y) => x.ts! - y.ts! || y.dur! - x.dur!);
  const open: TraceEvent[] = [];
  for (const slice of slices) {
    while (open.length > 0 && open.at(-1)!.ts! + open.at(-1)!.dur! <= slice.ts! + 1e-6) open.pop();
    const outer = open.at(-1);
    if (outer !== undefined) expect(slice.ts! + slice.dur!).toBeLessThanOrEqual(outer.ts! + outer.dur! + 1e-6);
    open.push(slice);
  }
}

describeGpu("a profile on WebGPU", () => {
  const open = opening();

  test("has every launch that the backend counts, each with a time, and changes no number", async () => {
    const backend = await open();
    const expected = await compute(backend);
    const profiler = new Profiler(backend, { nowMs: tickingClock() });
    expect(profiler.timeSource).toBe("timestamps");
    profiler.start();
    const before = backend.figures().numLaunches;
    for (let i = 0; i < 200; i++) expect([...(await compute(backend))]).toEqual([...expected]);
    await profiler.stop();
    const { lines, numLaunches, numUntimed, totalMs } = summarise(profiler.ops, peak, true);
    expect(numLaunches).toBe(backend.figures().numLaunches - before);
    expect(lines.reduce((sum, line) => sum + line.numLaunches, 0)).toBe(numLaunches);
    expect(numUntimed).toBe(0);
    expect(totalMs).toBeGreaterThan(0);
    expect(lines.reduce((sum, line) => sum + line.totalMs!, 0)).toBeCloseTo(totalMs, 6);
    for (const line of lines) {
      expect(line.kernels.reduce((sum, kernel) => sum + kernel.count, 0)).toBe(line.numLaunches);
      expect(line.kernels.reduce((sum, kernel) => sum + kernel.totalMs!, 0)).toBeCloseTo(line.totalMs!, 6);
    }
    const matmul = lines.find(({ name }) => name === "matmul")!;
    expect(matmul).toMatchObject({ count: 200, flops: 200 * 240 });
    expect(matmul.kernels[0]).toMatchObject({ count: 200, flops: 200 * 240, writtenBytes: 200 * 4 * 24 });
    profiler.dispose();
    await compute(backend);
    expect(summarise(profiler.ops, peak, true).numLaunches).toBe(numLaunches);
  });

  test("moves the bytes of a copy, exactly", async () => {
    const backend = await open();
    const [source, copied] = withBackend(backend, () => [
      tensor(new Float32Array(1000)),
      tensor(new Float32Array(1000)),
    ]);
    const profiler = new Profiler(backend, { nowMs: tickingClock() });
    profiler.start();
    backend.kernels.copy(source!, copied!);
    await profiler.stop();
    const [line] = summarise(profiler.ops, peak, true).lines;
    expect(line).toMatchObject({ name: "copy", numLaunches: 1, readBytes: 4000, writtenBytes: 4000, flops: 0 });
    profiler.dispose();
  });

  test("moves the bytes of the rows that an embedding takes, and of an update of many parameters", async () => {
    const backend = await open();
    const profiler = new Profiler(backend, { nowMs: tickingClock() });
    const parameters = withBackend(backend, () =>
      [5, 3000, 77].map((length) => {
        const parameter = new nn.Parameter(tensor(new Float32Array(length)));
        parameter.grad = tensor(new Float32Array(length).fill(1));
        return parameter;
      }),
    );
    const optimizer = new optim.Sgd(parameters, { learningRate: 0.5 });
    profiler.start();
    withBackend(backend, () =>
      scope(() => {
        embedding(tensor(new Float32Array(800), { shape: [100, 8] }), tensor([3, 99, 3], { dtype: "i32" }));
      }),
    );
    optimizer.step();
    await profiler.stop();
    const { lines } = summarise(profiler.ops, peak, true);
    const taken = lines.find(({ name }) => name === "embedding")!;
    expect(taken).toMatchObject({ readBytes: 4 * (3 + 24), writtenBytes: 4 * 24 });
    const update = lines.find(({ name }) => name === "elementwise sgd")!;
    const length = 5 + 3000 + 77;
    expect(update).toMatchObject({ readBytes: 4 * 2 * length, writtenBytes: 4 * length });
    expect(update.kernels.reduce((sum, kernel) => sum + kernel.readBytes, 0)).toBe(4 * 2 * length);
    expect([...(await parameters[2]!.data())]).toEqual(new Array(77).fill(-0.5));
    profiler.dispose();
  });

  test("is a trace that parses, whose slices nest, and whose spans cover every op and kernel", async () => {
    const backend = await open();
    const profiler = new Profiler(backend, { nowMs: tickingClock() });
    profiler.start();
    for (const step of [1, 2]) {
      profiler.beginSpan(`step ${step}`);
      profiler.beginSpan("forward");
      const read = compute(backend);
      profiler.endSpan();
      await read;
      profiler.endSpan();
    }
    await profiler.stop();
    const { spans, ops, submits } = profiler;
    const text = JSON.stringify(chromeTrace({ spans, ops, submits, about: { job: "test" } }));
    const { traceEvents, otherData } = JSON.parse(text) as { traceEvents: TraceEvent[]; otherData: unknown };
    expect(otherData).toEqual({ job: "test" });
    const slicesOf = (cat: string): TraceEvent[] => traceEvents.filter((event) => event.cat === cat);
    expect(slicesOf("span").map(({ name }) => name)).toEqual(["step 1", "forward", "step 2", "forward"]);
    expect(slicesOf("op").length).toBe(ops.length);
    expect(slicesOf("launch").length).toBe(slicesOf("kernel").length);
    expect(slicesOf("kernel").map(({ name }) => `launch ${name}`)).toEqual(slicesOf("launch").map(({ name }) => name));
    for (const tid of [1, 2]) expectNested(traceEvents.filter((event) => event.tid === tid));
    const steps = slicesOf("span").filter(({ name }) => name.startsWith("step"));
    for (const { ts, dur } of [...slicesOf("op"), ...slicesOf("launch")]) {
      expect(steps.some((step) => step.ts! <= ts! && ts! + dur! <= step.ts! + step.dur!)).toBe(true);
    }
    // No kernel ran before its step had begun.
    for (const { ts, dur } of slicesOf("kernel")) {
      expect(ts).toBeGreaterThanOrEqual(steps[0]!.ts!);
      expect(dur).toBeGreaterThanOrEqual(0);
    }
    profiler.dispose();
  });

  test("without timestamps times each op alone, and says so", async () => {
    const backend = await open({ withoutFeatures: ["timestamp-query"] });
    const expected = await compute(backend);
    const profiler = new Profiler(backend, { nowMs: tickingClock() });
    expect(profiler.timeSource).toBe("ops run alone");
    profiler.start();
    for (let i = 0; i < 3; i++) expect(close(await compute(backend), expected)).toBe(0);
    const before = backend.memory().usedBytes;
    await profiler.stop();
    expect(backend.memory().usedBytes).toBe(before);
    const { lines, numLaunches, numUntimed } = summarise(profiler.ops, peak, true);
    // The clock is looked at once before and once after.
    for (const line of lines) expect(line).toMatchObject({ count: 3, medianMs: 1, totalMs: 3 });
    for (const line of lines) for (const kernel of line.kernels) expect(kernel.totalMs).toBeUndefined();
    expect([numLaunches, numUntimed]).toEqual([profiler.ops.flatMap(({ launches }) => launches).length, 0]);
    expect(profiler.submits).toEqual([]);
    profiler.dispose();
  });
});
