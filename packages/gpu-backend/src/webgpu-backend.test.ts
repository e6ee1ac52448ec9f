import { scope, tensor, withBackend } from "@lockstep/core";
import { expect, test } from "vitest";
import { openDevice } from "./device/open-device.js";
import { describeGpu, opening, testGpu } from "./testing.testkit.js";

describeGpu("the WebGPU backend", () => {
  const open = opening();

  test("reads see the numbers as they were at the call, whatever is recorded afterwards", async () => {
    const backend = await open();
    const x = withBackend(backend, () => tensor([1, 2, 3]));
    const before = x.data();
    backend.write(x.buffer, 0, new Float32Array([7, 8, 9]));
    const after = x.data();
    expect([[...(await before)], [...(await after)]]).toEqual([
      [1, 2, 3],
      [7, 8, 9],
    ]);
    x.dispose();
  });

  test("a buffer that was freed is used again, and what was recorded before keeps its numbers", async () => {
    const backend = await open();
    const sums = withBackend(backend, () =>
      Array.from({ length: 300 }, (_, i) => scope(() => ({ read: tensor([i]).add(1).data() }))),
    );
    expect((await Promise.all(sums.map(({ read }) => read))).map(([value]) => value)).toEqual(
      Array.from({ length: 300 }, (_, i) => i + 1),
    );
    expect(backend.memory()).toMatchObject({ usedBytes: 0, numBuffers: 0 });
  });

  test("more than one dimension of workgroups holds", async () => {
    const backend = await open();
    const length = 65_536 * 256 + 5;
    const x = withBackend(backend, () => tensor(new Float32Array(length).fill(2)));
    const y = withBackend(backend, () => x.mul(3));
    const values = await y.data();
    expect(values.length).toBe(length);
    expect(values.every((value) => value === 6)).toBe(true);
    x.dispose();
    y.dispose();
  });

  test("what does not fit is refused with the bytes asked for and the cap", async () => {
    const backend = await open({ maxBytes: 1_000_000 });
    const held = backend.allocate(900_000);
    expect(() => backend.allocate(200_000)).toThrowError(
      /200000 bytes were asked for, 900000 are in use and 1000000 is the cap/,
    );
    backend.free(held);
    // The pool gives back what is free before it refuses.
    backend.free(backend.allocate(500_000));
    expect(backend.memory().reservedBytes).toBeLessThanOrEqual(1_000_000);
    const { maxStorageBufferBindingSize, maxBufferSize } = backend.limits;
    const limit = Math.min(maxStorageBufferBindingSize, maxBufferSize);
    expect(() => backend.allocate(limit + 1)).toThrowError(`binds at most ${limit} bytes at a time`);
    expect(() => backend.free(held)).toThrowError("was freed");
  });

  test("a software adapter is refused unless it is asked for", async () => {
    const { adapter } = await open();
    const opening = openDevice(testGpu());
    if (adapter.isSoftware) await expect(opening).rejects.toMatchObject({ code: "E_NO_ADAPTER" });
    else (await opening).device.destroy();
  });

  test("no adapter is an error that says what to do", async () => {
    const none = { requestAdapter: async () => null } as unknown as GPU;
    await expect(openDevice(none)).rejects.toMatchObject({ code: "E_NO_ADAPTER" });
  });

  test("a lost device fails every call and every read that is under way", async () => {
    const { device, ...opened } = await openDevice(testGpu(), { allowSoftware: true });
    let lose = (_info: GPUDeviceLostInfo): void => {};
    const lost = new Promise<GPUDeviceLostInfo>((resolve) => {
      lose = resolve;
    });
    const { WebGpuBackend } = await import("./webgpu-backend.js");
    const planted = new Proxy(device, {
      get: (target, name) => {
        if (name === "lost") return lost;
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const backend = new WebGpuBackend({ ...opened, device: planted });
    const x = withBackend(backend, () => tensor([1]));
    lose({ reason: "unknown", message: "planted" } as GPUDeviceLostInfo);
    await lost;
    await expect(x.data()).rejects.toMatchObject({ code: "E_DEVICE_LOST" });
    expect(() => withBackend(backend, () => x.add(1))).toThrowError(/the device was lost \(unknown\): planted/);
    device.destroy();
  });
});
