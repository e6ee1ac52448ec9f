import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { bundleJob } from "./bundle-job.js";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function plant(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "lockstep-bundle-"));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

const job = 'import { nn } from "@lockstep/core";\nimport { rate } from "./rate.js";\nexport default { nn, rate };\n';

test("bundles the job's own modules and leaves the rooms to the worker", async () => {
  const folder = plant({ "job.ts": job, "rate.ts": "export const rate: number = 0.25;\n" });
  const text = await bundleJob(join(folder, "job.ts"));
  expect(text).toContain('from "lockstep-room:@lockstep/core"');
  expect(text).toContain("0.25");
  expect(text).not.toContain("./rate");
});

test("the same sources give the same bytes in any folder", async () => {
  const first = plant({ "job.ts": job, "rate.ts": "export const rate: number = 0.25;\n" });
  const second = plant({});
  cpSync(first, second, { recursive: true });
  expect(await bundleJob(join(second, "job.ts"))).toBe(await bundleJob(join(first, "job.ts")));
});

test("names file and line of a syntax error", async () => {
  const folder = plant({ "job.ts": "export default {\n  name: ,\n};\n" });
  await expect(bundleJob(join(folder, "job.ts"))).rejects.toMatchObject({
    code: "E_JOB_BUNDLE",
    message: expect.stringContaining("job.ts:2: "),
  });
});

test("refuses Node modules and says how a job reads files", async () => {
  const folder = plant({ "job.ts": 'import { readFileSync } from "node:fs";\nexport default readFileSync;\n' });
  await expect(bundleJob(join(folder, "job.ts"))).rejects.toThrow(
    /imports "node:fs"; .* reads files through files\(\)/,
  );
});
