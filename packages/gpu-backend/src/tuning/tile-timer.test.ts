import { afterEach, expect, test } from "vitest";
import { openDevice } from "../device/open-device.js";
import { createTestBackend, describeGpu, testGpu } from "../testing.testkit.js";
import { createWebGpuBackend, WebGpuBackend } from "../webgpu-backend.js";
import { tileTimer } from "./tile-timer.js";
import type { TuningOptions } from "./tune.js";

describeGpu("measuring on WebGPU", () => {
  let backend: WebGpuBackend | undefined;
  afterEach(() => backend?.dispose());

  /** Opens a backend whose measuring is over after one look at the clock, so that a test does not take its time. */
  const open = async (tuning: Partial<TuningOptions>) => {
    const lines: string[] = [];
    let numLooks = 0;
    const nowMs = (): number => 7_000 * numLooks++;
    const store = { read: async () => undefined, write: async () => {} };
    const options = { store, nowMs, log: (line: string) => lines.push(line), ...tuning };
    backend = await createWebGpuBackend(testGpu(), { allowSoftware: true, tuning: options });
    return { backend, lines };
  };

  test("gives up within its budget, says so, keeps the default and leaves no buffer behind", async () => {
    const { backend: made, lines } = await open({ onSoftware: true });
    expect(lines).toEqual([expect.stringMatching(/measuring .* was given up after \d+ ms; the default ones are kept/)]);
    const plain = await createTestBackend();
    expect(made.choices.tiles).toEqual(plain.choices.tiles);
    // What is left is the bias that stands for none.
    expect(made.memory()).toMatchObject({ numBuffers: 1, reservedBytes: 256 });
    plain.dispose();
  });

  test.each([true, false])("times products and puts everything back, with timestamps: %s", async (wantsTimestamps) => {
    const opened = await openDevice(testGpu(), { allowSoftware: true });
    backend = new WebGpuBackend(opened);
    const before = backend.choices.tiles;
    const hasTimestamps = wantsTimestamps && opened.features.has("timestamp-query");
    let nowMs = 0;
    const timer = tileTimer(backend, { device: opened.device, hasTimestamps, nowMs: () => (nowMs += 1e6) });
    // Without timestamps a timing is what the clock says: one look before and one after.
    const perRun = await timer.time("32x32", 64, 4);
    if (hasTimestamps) expect(perRun).toBeLessThan(1e5);
    else expect(perRun).toBe(1e6 / 4);
    expect(perRun).toBeGreaterThan(0);
    expect(backend.choices.tiles).not.toBe(before);
    timer.dispose();
    expect(backend.choices.tiles).toBe(before);
    expect(backend.memory().numBuffers).toBe(1);
  });

  test("does not take place on an adapter that computes on the CPU unless it is asked for", async () => {
    const { backend: made, lines } = await open({});
    if (made.adapter.isSoftware) expect(lines).toEqual([]);
  });
});
