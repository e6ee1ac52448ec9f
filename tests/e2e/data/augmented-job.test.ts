import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { cleanUp, readSummary, runLockstep, temporaryFolder } from "../lockstep-process.js";

afterEach(cleanUp);

const job = "tests/e2e/jobs/augmented";

async function train(out: string, ...flags: string[]) {
  const { status, stderr } = await runLockstep(["run", job, "--seed", "7", "--out", out, "--quiet", ...flags]);
  expect(`${status} ${stderr}`).toBe("0 ");
  return readSummary(out);
}

test("L1, L4: a job that reads files, cleans, splits and augments ends with the same bits on 1, 2 and 4 workers, and resumed", async () => {
  const folder = temporaryFolder();
  const one = await train(join(folder, "w1"), "--workers", "1");
  expect(one).toMatchObject({ status: "completed", steps: 6 });
  for (const workers of ["2", "4"]) {
    const other = await train(
      join(folder, `w${workers}`),
      "--workers",
      workers,
      "--threads",
      workers === "2" ? "2" : "1",
    );
    expect(other.paramsSha256).toBe(one.paramsSha256);
    expect([other.trainLoss, other.evalLoss]).toEqual([one.trainLoss, one.evalLoss]);
  }
  const broken = join(folder, "broken");
  await train(broken, "--workers", "2", "--steps", "2");
  const { status } = await runLockstep(["run", job, "--resume", broken, "--workers", "1", "--quiet"]);
  expect([status, readSummary(broken).paramsSha256]).toEqual([0, one.paramsSha256]);

  const plain = await train(join(folder, "plain"), "--workers", "1", "--set", "augment=false");
  expect(plain.paramsSha256).not.toBe(one.paramsSha256);
}, 180_000);
