import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decideRetention, removeCheckpoints } from "./checkpoint-retention.js";

test.each([
  ["the latest stay", [30, 10, 20, 40], 2, [], [10, 20]],
  ["protected ones stay beside them", [10, 20, 30, 40], 2, [10, 99], [20]],
  ["a protected one among the latest takes no other's place", [10, 20, 30], 2, [30], [10]],
  ["0 keeps all", [10, 20, 30], 0, [], []],
  ["fewer than that stay all", [10], 3, [], []],
])("%s", (_, steps, keepLast, protectedSteps, expected) => {
  expect(decideRetention(steps, { keepLast, protectedSteps })).toEqual(expected);
});

test("removed checkpoints are gone, the others are there, and one that is not there is no error", async () => {
  const dir = mkdtempSync(join(tmpdir(), "lockstep-retention-"));
  for (const name of ["step-000001", "step-000002", ".removed-step-000001"]) {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, "model"), name);
  }
  await removeCheckpoints(dir, [1, 7]);
  expect(readdirSync(dir)).toEqual(["step-000002"]);
});
