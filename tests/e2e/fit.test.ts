import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { cleanUp, root, runScript, temporaryFolder } from "./lockstep-process.js";

afterEach(cleanUp);

test("L1: fit has the same epochs, weights, files and end with three workers as in one process", async () => {
  const folder = temporaryFolder();
  const { status, stdout, stderr } = await runScript(join(root, "tests/e2e/fit/train.ts"), [folder]);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  const [alone, together] = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Fitted);
  expect(alone!.step).toBe(36);
  expect(alone!.logs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
  expect(alone!.stopReason).toMatch(/^no better value for 3 epochs/);
  expect(together).toEqual(alone);
  const read = (place: string, name: string) => readFileSync(join(folder, place, name));
  expect(read("together", "best.safetensors").equals(read("alone", "best.safetensors"))).toBe(true);
  const losses = (place: string) =>
    read(place, "log.csv")
      .toString()
      .split("\n")
      .map((row) => row.split(",").slice(0, 5));
  expect(losses("together")).toEqual(losses("alone"));
}, 120_000);

test("what a callback throws ends the fit with that error, with workers as in one process", async () => {
  const { status, stdout, stderr } = await runScript(join(root, "tests/e2e/fit/throw.ts"), []);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(stdout.trim().split("\n")).toEqual([
    "onStep: alone",
    "onStep: 2 workers",
    "onEpochEnd: alone",
    "onEpochEnd: 2 workers",
  ]);
}, 120_000);

interface Fitted {
  readonly logs: readonly { readonly epoch: number; readonly loss: number }[];
  readonly stopReason: string;
  readonly step: number;
}
