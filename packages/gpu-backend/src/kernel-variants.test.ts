/** @file Every module that the backend can come to need is taken by a device that validates it. No driver is needed, only the npm package. */
import { afterAll, describe, expect, test } from "vitest";
import { deviceChecks } from "./device/device-checks.js";
import { optionalFeatures } from "./device/open-device.js";
import {
  collectVariants,
  compileVariants,
  type KernelVariant,
  runEveryOp,
  runLargeRows,
} from "./kernel-variants.testkit.js";
import { definedKernels, type WgslKernel } from "./launch/kernel.js";
import { createNullBackend, describeNullGpu } from "./testing.testkit.js";
import type { WebGpuBackend } from "./webgpu-backend.js";

const featureSets = [
  { name: "every feature", without: [] },
  { name: "no optional feature", without: optionalFeatures },
  ...optionalFeatures.map((feature) => ({ name: `every feature but ${feature}`, without: [feature] })),
];

describeNullGpu("every kernel variant on a device that validates", () => {
  const backends: WebGpuBackend[] = [];
  const open = async (...options: Parameters<typeof createNullBackend>): Promise<WebGpuBackend> => {
    const backend = await createNullBackend(...options);
    backends.push(backend);
    return backend;
  };
  const launched = new Set<WgslKernel>();
  afterAll(() => {
    for (const backend of backends) backend.dispose();
  });

  describe.each(featureSets)("with $name", ({ without }) => {
    const seen: KernelVariant[] = [];

    test("every op and row is recorded, submitted and taken", async () => {
      const backend = await open({ withoutFeatures: without });
      expect(without.filter((feature) => backend.features.has(feature))).toEqual([]);
      const variants = collectVariants(backend);
      expect(await runEveryOp(backend)).toBeGreaterThan(1000);
      await runLargeRows(backend);
      await backend.finish();
      seen.push(...variants.values());
      for (const { kernel } of seen) launched.add(kernel);
      expect(seen.length).toBeGreaterThan(150);
    });

    test("every module compiles with its operands apart and in one buffer", async () => {
      const { device, features } = await open({ withoutFeatures: without });
      const checks = deviceChecks
        .filter(({ feature }) => feature === undefined || features.has(feature))
        .flatMap(({ launches }) => launches.map(({ kernel, options }) => ({ kernel, constants: options.constants })));
      for (const { kernel } of checks) launched.add(kernel);
      const { numModules, failures } = await compileVariants(device, [...seen, ...checks]);
      expect(failures).toEqual([]);
      expect(numModules).toBeGreaterThan(2 * seen.length);
    });
  });

  test("no kernel that a room defines was left out", () => {
    const missing = definedKernels().filter((kernel) => !launched.has(kernel));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  test("a kernel with an error in its text is named, by whoever launches it and by its variants", async () => {
    const kernel = definedKernels().find(({ name }) => name === "softmax")!;
    const whole = kernel.body;
    const plant = (body: string): void => void Object.assign(kernel, { body });
    plant(`${whole}\n  nothing();`);
    try {
      const backend = await open();
      await expect(runLargeRows(backend)).rejects.toMatchObject({ code: "E_SHADER", fields: { kernel: "softmax" } });
      const { device } = await open();
      const { failures } = await compileVariants(device, [{ kernel, constants: { LANES: 8 } }]);
      // Apart, and both operands in one buffer.
      expect(failures.length).toBe(2);
      for (const failure of failures) expect(failure).toMatch(/kernel "softmax" .+unresolved call target 'nothing'/);
    } finally {
      plant(whole);
    }
  });
});
