/** @file Machines whose driver is missing or wrong: said at once, with what to do, and nothing written. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { cleanUp, readSummary, runLockstep, temporaryFolder } from "../e2e/lockstep-process.js";

const isRequired = process.env.LOCKSTEP_REQUIRE_GPU === "1";
const digits = fileURLToPath(new URL("../../examples/07-digits", import.meta.url));

afterAll(cleanUp);

/** A driver that Vulkan's loader cannot open: a file of no library. */
function wrongDriver(): NodeJS.ProcessEnv {
  const folder = temporaryFolder();
  const manifest = {
    file_format_version: "1.0.0",
    ICD: { library_path: join(folder, "driver.so"), api_version: "1.3.0" },
  };
  writeFileSync(join(folder, "driver.so"), "not a library");
  writeFileSync(join(folder, "icd.json"), JSON.stringify(manifest));
  return { ...process.env, VK_DRIVER_FILES: join(folder, "icd.json"), VK_ICD_FILENAMES: join(folder, "icd.json") };
}

describe.skipIf(!isRequired)("a machine whose driver gives no adapter", () => {
  test.each([
    ["that is not there", () => ({ ...process.env, VK_DRIVER_FILES: "/nowhere/icd.json" })],
    ["that cannot be loaded", wrongDriver],
  ] as const)("--backend webgpu with a driver %s is refused before anything is written", async (_, env) => {
    const out = join(temporaryFolder(), "run");
    const { status, stderr } = await runLockstep(["run", digits, "--backend", "webgpu", "--out", out], { env: env() });
    expect(stderr).toMatch(/error: --backend webgpu: webgpu: no adapter was found; there must be a graphics driver/);
    expect(stderr).toMatch(/\(E_NO_ADAPTER\)/);
    expect(status).toBe(2);
    expect(existsSync(out)).toBe(false);
  });

  test("--backend auto trains on the CPU", async () => {
    const out = join(temporaryFolder(), "run");
    const flags = ["--backend", "auto", "--steps", "2", "--threads", "1", "--set", "evalIntervalSteps=0", "--out", out];
    const { status } = await runLockstep(["run", digits, ...flags], { env: wrongDriver() });
    expect(status).toBe(0);
    expect(readSummary(out).numericClasses).toEqual(["strict"]);
  }, 60_000);
});
