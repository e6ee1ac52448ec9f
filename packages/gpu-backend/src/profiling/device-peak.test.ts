import { createCpuBackend } from "@lockstep/core";
import { expect, test } from "vitest";
import { createTestBackend, describeGpu } from "../testing.testkit.js";
import { measureCpuPeak } from "./cpu-peak.js";
import { measureDevicePeak } from "./device-peak.js";

test("the CPU's peak is the bytes of a copy and the operations of a product, by the time they took", () => {
  const backend = createCpuBackend();
  let looks = 0;
  const peak = measureCpuPeak(backend, () => 20 * looks++);
  expect(peak).toEqual({ bytesPerSecond: (2 * 4 * 2 ** 23) / 0.02, flopsPerSecond: (2 * 384 ** 3) / 0.02 });
});

describeGpu("a device's peak", () => {
  test("is the bytes of a copy and the operations of registers, by the time they took", async () => {
    const backend = await createTestBackend();
    let looks = 0;
    const peak = await measureDevicePeak(backend.device, { nowMs: () => 20 * looks++, isSoftware: true });
    expect(peak.bytesPerSecond).toBeCloseTo((2 * 32 * 2 ** 20) / 0.02, 3);
    // 8 groups of 256 invocations, 512 rounds of 8 vectors of 4 multiply-adds.
    expect(peak.flopsPerSecond).toBeCloseTo((8 * 256 * 512 * 64) / 0.02, 3);
    await backend.finish();
    backend.dispose();
  });
});
