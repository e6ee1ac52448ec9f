import { mkdtemp, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { importJob, loadJobBundle, writeJobModule } from "./job-loader.js";

let tempDir: string;
beforeEach(async () => {
  tempDir = await mkdtemp(join(tmpdir(), "lockstep-job-"));
});
afterEach(() => rm(tempDir, { recursive: true, force: true }));

test("a bundle's rooms become the addresses of this installation", async () => {
  const bundle = `import { a } from "lockstep-room:@lockstep/core";\nimport 'lockstep-room:@lockstep/core/node';\nexport default a;`;
  const url = await writeJobModule(bundle, { tempDir, resolveRoom: (s) => `file:///here/${s}.js` });
  expect(await readFile(fileURLToPath(url), "utf8")).toBe(
    `import { a } from "file:///here/@lockstep/core.js";\nimport 'file:///here/@lockstep/core/node.js';\nexport default a;`,
  );
});

test("a module that another worker is reading is replaced, never emptied", async () => {
  const resolveRoom = (specifier: string) => specifier;
  const bundle = `export default ${JSON.stringify("x".repeat(1000))};`;
  const path = fileURLToPath(await writeJobModule(bundle, { tempDir, resolveRoom }));
  const reader = await open(path);
  try {
    const { ino } = await reader.stat();
    await writeJobModule(bundle, { tempDir, resolveRoom });
    expect((await stat(path)).ino).not.toBe(ino);
    expect(await readFile(reader, "utf8")).toBe(bundle);
  } finally {
    await reader.close();
  }
  expect(await readdir(tempDir)).toHaveLength(1);
});

test("a room that is not installed is named", async () => {
  const resolveRoom = () => {
    throw new Error("not found");
  };
  const loading = writeJobModule(`import "lockstep-room:@lockstep/gpu-backend";`, { tempDir, resolveRoom });
  await expect(loading).rejects.toMatchObject({
    code: "E_JOB_ROOM",
    fields: { specifier: "@lockstep/gpu-backend" },
  });
});

test("a module that throws, and one that exports no job, are told apart", async () => {
  const resolveRoom = (specifier: string) => specifier;
  const throwing = loadJobBundle(`throw new Error("boom");`, { tempDir, resolveRoom });
  await expect(throwing).rejects.toMatchObject({
    code: "E_JOB_LOAD",
    message: expect.stringContaining('threw "boom"'),
  });
  const url = await writeJobModule("export default { name: 'x', data() {} };", { tempDir, resolveRoom });
  await expect(importJob(url)).rejects.toMatchObject({ code: "E_JOB" });
});
