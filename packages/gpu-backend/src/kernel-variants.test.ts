/** @file Every module that the backend can come to need is taken by a device that validates it. No driver is needed, only the npm package. */
import { expect, test } from "vitest";
import { type OptionalFeature, optionalFeatures } from "./device/open-device.js";
import {
  collectVariants,
  compileVariants,
  type KernelVariant,
  runEveryOp,
  runLargeRows,
  runTiles,
  runWholeTensors,
} from "./kernel-variants.testkit.js";
import { definedKernels, type WgslKernel } from "./launch/kernel.js";
import { createNullBackend, describeNullGpu, opening } from "./testing.testkit.js";
import type { FloatStorage } from "./webgpu-backend.js";

/** Features that the device is opened without, and what kernels choose by a check of the device. */
interface Machine {
  readonly name: string;
  readonly without: readonly OptionalFeature[];
  readonly subgroupSize: number;
  readonly storage?: FloatStorage;
  /** Whether every op runs on it, beside the rows that choose by size. */
  readonly runsOps: boolean;
}
const machines: readonly Machine[] = [
  { name: "no optional feature", without: optionalFeatures, subgroupSize: 0, runsOps: true },
  ...optionalFeatures.map((feature) => {
    return { name: `every feature but ${feature}`, without: [feature], subgroupSize: 0, runsOps: false };
  }),
  ...[4, 8, 16, 32, 64].map((size) => {
    return { name: `subgroups of ${size}`, without: [], subgroupSize: size, runsOps: size === 32 };
  }),
  { name: "tensors in 16 bits", without: [], subgroupSize: 32, storage: "f16", runsOps: true },
];

/** Kernels of checks of the device, which are launched before there is a backend. */
function checkVariants(subgroupSize: number): KernelVariant[] {
  const checks = definedKernels().filter(({ name }) => name.startsWith("check"));
  return checks
    .filter(({ name }) => name !== "checkSubgroups" || subgroupSize > 0)
    .map((kernel) => ({ kernel, constants: { SUBGROUP: subgroupSize }, sharing: [0], halves: [false] }));
}

describeNullGpu("every kernel variant on a device that validates", () => {
  const open = opening(createNullBackend);
  const launched = new Set<WgslKernel>();
  /** A module that a device without features takes, one with more takes, too. */
  const texts = new Set<string>();

  test.each(machines)(
    "with $name",
    async ({ without, subgroupSize, runsOps, storage = "f32" }) => {
      const backend = await open({ withoutFeatures: without, storage, minHalfElements: 1 });
      backend.choose({ subgroupSize });
      const variants = collectVariants(backend);
      if (runsOps) expect(await runEveryOp(backend)).toBeGreaterThan(1000);
      await runLargeRows(backend);
      await runTiles(backend);
      await runWholeTensors(backend);
      const all = [...variants.values(), ...checkVariants(subgroupSize)];
      for (const { kernel } of all) launched.add(kernel);
      const usesHalves = all.some(({ halves }) => halves.includes(true));
      expect(usesHalves).toBe(storage === "f16");
      const before = texts.size;
      const { numModules, failures } = await compileVariants(backend.device, all, texts);
      expect(failures).toEqual([]);
      expect(numModules).toBe(texts.size - before);
      expect([variants.size > 200, texts.size > 1000]).toEqual([true, true]);
    },
    240_000,
  );

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
      const constants = { LANES: 8, SUBGROUP: 0 };
      const { failures } = await compileVariants(device, [
        { kernel, constants, sharing: [0, 1], halves: [false, false] },
      ]);
      // Apart, and both operands in one buffer.
      expect(failures.length).toBe(2);
      for (const failure of failures) expect(failure).toMatch(/kernel "softmax" .+unresolved call target 'nothing'/);
    } finally {
      plant(whole);
    }
  });
});
