/** @file What a device may refuse: each is one clear error of the next call that looks, never a hang and never a number. */
import { type BackendError, tensor, withBackend } from "@lockstep/core";
import { afterAll, expect, test } from "vitest";
import { defineKernel, type WgslKernel } from "../launch/kernel.js";
import { Launcher } from "../launch/launcher.js";
import { BufferPool } from "../memory/buffer-pool.js";
import { Readback } from "../memory/readback.js";
import { createNullBackend, describeGpu, describeNullGpu, testGpu } from "../testing.testkit.js";
import { openDevice } from "./open-device.js";

/** Launches a kernel of one operand `out` and reads its first word. */
async function wordOf(device: GPUDevice, kernel: WgslKernel<{ out: "write f32" }>): Promise<number> {
  const launcher = new Launcher(device);
  const buffer = new BufferPool(device, { beforeDestroy: () => {} }).allocate(16);
  launcher.launch(kernel, () => ({ buffer, offset: 0 }), {}, { groups: 1 });
  const words = await new Readback(device, launcher).read(buffer, { view: { dtype: "f32", offset: 0 }, length: 1 });
  return words[0]!;
}

const writing = (name: string, body: string): WgslKernel<{ out: "write f32" }> =>
  defineKernel({ name, operands: { out: "write f32" }, params: {}, body });

describeGpu("a kernel that the adapter does not take", () => {
  const devices: GPUDevice[] = [];
  const open = async (): Promise<GPUDevice> => {
    const { device } = await openDevice(testGpu(), { allowSoftware: true });
    devices.push(device);
    return device;
  };
  afterAll(() => {
    for (const device of devices) device.destroy();
  });

  test("one that does compile gives its number", async () => {
    expect(await wordOf(await open(), writing("whole", "  out_put(0u, 7.0);"))).toBe(7);
  });

  test("is named by the read of what it would have computed, with adapter, line and the compiler's words", async () => {
    const device = await open();
    const error = await wordOf(device, writing("broken", "  out_put(0u, nothing);")).catch((caught: Error) => caught);
    const { message, fields } = error as BackendError;
    const line = Number(/:(\d+):15 error: unresolved value 'nothing'/.exec(message)?.[1]);
    expect(fields).toEqual({ kernel: "broken", adapter: device.adapterInfo.description, line });
    expect(error).toMatchObject({ code: "E_SHADER" });
    expect(message).toContain(`kernel "broken" does not compile on "${device.adapterInfo.description}"`);
    expect(message).toContain(`Line ${line} of its module is \`out_put(0u, nothing);\``);
  });

  test("is named when its pipeline, not its text, is what the adapter cannot do", async () => {
    const device = await open();
    const tooWide = { ...writing("tooWide", "  out_put(0u, 1.0);"), workgroup: [4096, 1, 1] as const };
    const reading = wordOf(device, tooWide);
    await expect(reading).rejects.toMatchObject({ code: "E_SHADER", fields: { kernel: "tooWide" } });
    await expect(reading).rejects.toThrowError(/4096/);
  });
});

describeNullGpu("a device without memory", () => {
  test("is told with the bytes that could not be had, by the next call", async () => {
    // Dawn's null device has 512 MiB.
    const backend = await createNullBackend();
    const held = Array.from({ length: 5 }, () => backend.allocate(120_000_000));
    expect(held.length).toBe(5);
    await expect(backend.finish()).rejects.toMatchObject({
      code: "E_OUT_OF_MEMORY",
      fields: { what: "a tensor of 120000000 bytes" },
    });
    expect(() => withBackend(backend, () => tensor([1]).add(1))).toThrowError(
      /has no memory left for a tensor of 120000000 bytes/,
    );
    backend.dispose();
  });

  test("a tensor beyond what one binding holds is refused at once, with both numbers", async () => {
    const backend = await createNullBackend();
    const limit = backend.limits.maxStorageBufferBindingSize;
    const wide = withBackend(backend, () => tensor(new Float32Array(1)).expand([limit / 4 + 1]));
    expect(() => withBackend(backend, () => wide.add(1))).toThrowError(
      `one tensor of ${limit + 4} bytes was asked for, and this adapter binds at most ${limit} bytes at a time`,
    );
    backend.dispose();
  });
});

test("a driver that offers an adapter and gives no device is named, with its reason", async () => {
  const info = { vendor: "acme", architecture: "", device: "", description: "Acme 3000" };
  const adapter = {
    info,
    limits: {},
    features: new Set(),
    requestDevice: () => Promise.reject(new Error("device creation was refused")),
  };
  const gpu = { requestAdapter: async () => adapter } as unknown as GPU;
  const opening = openDevice(gpu);
  await expect(opening).rejects.toMatchObject({ code: "E_NO_ADAPTER", fields: { adapter: "Acme 3000" } });
  await expect(opening).rejects.toThrowError(/"Acme 3000" gave no device: device creation was refused/);
});
