import { BackendError } from "@lockstep/core";
import { beforeEach, expect, test, vi } from "vitest";
import { assertBackends, chooseDevice } from "./choose-device.js";
import { createDeviceBackend, type DeviceBackendOptions } from "./device-backend.js";

vi.mock("./device-backend.js", () => ({ createDeviceBackend: vi.fn() }));

let lines: string[];
const warn = (line: string): void => void lines.push(line);
const disposed = vi.fn();

/** A machine whose adapter can do what `fails` does not name: codes by storage. */
function machine(fails: { readonly f16?: string; readonly f32?: string }): void {
  vi.mocked(createDeviceBackend).mockImplementation((async ({ storage = "f32" }: DeviceBackendOptions) => {
    const code = fails[storage];
    if (code !== undefined) throw new BackendError(`planted ${code}`, {}, code);
    const numericClass = `webgpu:acme/one${storage === "f16" ? ":f16" : ""}`;
    return { numericClass, adapter: { isSoftware: false, description: "acme" }, dispose: disposed };
  }) as never);
}

beforeEach(() => {
  lines = [];
  disposed.mockClear();
});

test("a device that stores in 16 bits is of its own class, and is opened so by the worker's thread", async () => {
  machine({});
  const device = await chooseDevice("webgpu", "f16", warn);
  expect(device).toMatchObject({ numericClass: "webgpu:acme/one:f16", options: { storage: "f16" } });
  expect([lines, disposed.mock.calls.length]).toEqual([[], 1]);
});

test.each(["E_NO_F16", "E_DEVICE"])(
  "auto takes a GPU in f32 where 16 bits fail with %s, and says why",
  async (code) => {
    machine({ f16: code });
    const device = await chooseDevice("auto", "f16", warn);
    expect(device).toMatchObject({ numericClass: "webgpu:acme/one", options: { storage: "f32" } });
    expect(lines).toEqual([`--backend auto stores in f32: planted ${code}`]);
  },
);

test("auto takes the CPU where there is no GPU for either, and says why", async () => {
  machine({ f16: "E_NO_ADAPTER", f32: "E_NO_ADAPTER" });
  expect(await chooseDevice("auto", "f16", warn)).toBeUndefined();
  expect(lines).toEqual(["--backend auto computes on the CPU: planted E_NO_ADAPTER"]);
});

test("webgpu never falls back: a run ends with the reason before anything is written", async () => {
  machine({ f16: "E_NO_F16" });
  await expect(chooseDevice("webgpu", "f16", warn)).rejects.toMatchObject({ code: "E_NO_F16" });
  const asked = assertBackends({ backend: ["cpu", "webgpu"], precision: "f16" }, warn);
  await expect(asked).rejects.toMatchObject({ code: "E_NO_F16", message: "--backend webgpu: planted E_NO_F16" });
  await expect(assertBackends({ backend: ["cpu", "auto"], precision: "f16" }, warn)).resolves.toBeUndefined();
  expect(lines).toEqual([]);
});
