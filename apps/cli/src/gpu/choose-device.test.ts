import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { chooseDevice } from "./choose-device.js";

let folder: string;

/** An npm package `webgpu` whose adapter gives no device, and writes down what it was asked for. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-choose-"));
  const own = join(folder, "node_modules", "webgpu");
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, "package.json"), '{ "name": "webgpu", "type": "module", "main": "index.js" }');
  writeFileSync(
    join(own, "index.js"),
    `import { appendFileSync } from "node:fs";
    const note = (word) => appendFileSync(${JSON.stringify(join(folder, "asked"))}, word + " ");
    const info = { vendor: "acme", architecture: "one", device: "", description: "Acme 1" };
    const requestDevice = async () => { note("device"); throw new Error("planted"); };
    const adapter = { info, limits: {}, features: new Set(), requestDevice };
    export const globals = {};
    export const create = () => ({ requestAdapter: async () => { note("adapter"); return adapter; } });`,
  );
  vi.stubEnv("LOCKSTEP_WEBGPU", folder);
  (globalThis as { lockstepWebGpu?: unknown }).lockstepWebGpu = undefined;
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
  (globalThis as { lockstepWebGpu?: unknown }).lockstepWebGpu = undefined;
});

const asked = () => readFileSync(join(folder, "asked"), "utf8");
const silent = (): void => {};

test("a worker whose command has checked the device learns its class without opening one", async () => {
  const device = await chooseDevice("webgpu", "f16", silent, { isChecked: true });
  expect(device).toMatchObject({ numericClass: "webgpu:acme/one:f16", options: { storage: "f16" } });
  expect(asked()).toBe("adapter ");
});

test("a worker of its own opens the device to check it", async () => {
  await expect(chooseDevice("webgpu", "f32", silent)).rejects.toMatchObject({ code: "E_NO_ADAPTER" });
  expect(asked()).toBe("adapter device ");
});

test("for auto, which no command has checked, the device is opened, and the CPU taken where it cannot be", async () => {
  const warned: string[] = [];
  expect(await chooseDevice("auto", "f32", (line) => warned.push(line), { isChecked: true })).toBeUndefined();
  expect(asked()).toBe("adapter device ");
  expect(warned.join()).toMatch(/auto computes on the CPU.*planted/);
});
