import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { removeCheckpoints } from "./checkpoint-retention.js";

test("removed checkpoints are gone, the others are there, and one that was not there is no error", async () => {
  const dir = mkdtempSync(join(tmpdir(), "lockstep-retention-"));
  for (const name of ["step-000001", "step-000002", ".tmp-removed-step-000001"]) {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, "model"), name);
  }
  expect(await removeCheckpoints(dir, [7, 1])).toEqual([1]);
  expect(readdirSync(dir)).toEqual(["step-000002"]);
});
