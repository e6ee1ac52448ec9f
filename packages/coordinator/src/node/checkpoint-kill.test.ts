import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { recoverCheckpoints, verifyCheckpoint, writeCheckpoint } from "./checkpoint-folder.js";
import { bundleChild } from "./child-process.testkit.js";
import { sha256Of } from "./socket-run.testkit.js";

/**
 * Recovers, writes step 2, writes step 1 with other files, removes step 0 and step 3; kills itself at one place: before, half-way
 * through or after the n-th call that changes the disk. Prints the number of calls when it lives.
 */
const victim = `
import fs from "node:fs";
import fsp from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
const [dir, at, when] = [process.argv[2]!, Number(process.argv[3]), process.argv[4]];
let calls = 0;
const die = () => {
  process.kill(process.pid, "SIGKILL");
  // Nothing may happen any more, however late the signal takes effect.
  for (;;);
};
const wrap = (target: any, name: string, half: (...args: any[]) => void) => {
  const original = target[name];
  target[name] = async function (...args: any[]) {
    const isIt = ++calls === at;
    if (isIt && when === "before") die();
    if (isIt && when === "half") { half.apply(this, args); die(); }
    const result = await original.apply(this, args);
    if (isIt && when === "after") die();
    return result;
  };
};
const nothing = () => {};
wrap(fsp, "rename", nothing);
wrap(fsp, "mkdir", nothing);
wrap(fsp, "copyFile", (from, to) => { const b = fs.readFileSync(from); fs.writeFileSync(to, b.subarray(0, b.length >> 1)); });
wrap(fsp, "rm", (path) => {
  if (!fs.existsSync(path)) return;
  const names = fs.readdirSync(path);
  for (const name of names.slice(0, Math.ceil(names.length / 2))) fs.rmSync(path + "/" + name, { recursive: true });
});
const handle = await fsp.open(process.argv[1]!, "r");
const handles = Object.getPrototypeOf(handle);
await handle.close();
wrap(handles, "writeFile", function (this: any, text: string) { fs.writeSync(this.fd, text.slice(0, text.length >> 1)); });
wrap(handles, "sync", nothing);
syncBuiltinESMExports();
const { recoverCheckpoints, writeCheckpoint } = await import("./checkpoint-folder.js");
const { removeCheckpoints } = await import("./checkpoint-retention.js");
const sources = JSON.parse(fs.readFileSync(dir + "/sources.json", "utf8"));
const checkpoints = dir + "/checkpoints";
await recoverCheckpoints(checkpoints);
for (const source of sources) await writeCheckpoint(checkpoints, source);
await removeCheckpoints(checkpoints, [0, 3]);
console.log(calls);
`;

function sourceOf(dir: string, step: number, text: string) {
  const files = ["model.safetensors", "trainer.json"].map((name) => {
    const path = join(dir, `${step}-${text}-${name}`);
    const content = `${name} of ${text} `.repeat(50);
    writeFileSync(path, content);
    return { name, path, sha256: sha256Of(content), byteLength: content.length };
  });
  return { step, paramsSha256: text, files };
}

/** Checkpoints 0, 1, 3, 5, and of 4 what a crash left: the old one under its other name, the new one unfinished. */
async function writeTemplate(dir: string): Promise<void> {
  const checkpoints = join(dir, "checkpoints");
  mkdirSync(checkpoints, { recursive: true });
  for (const step of [0, 1, 3, 4, 5]) await writeCheckpoint(checkpoints, sourceOf(dir, step, "old"));
  cpSync(join(checkpoints, "step-000004"), join(checkpoints, ".aside-step-000004"), { recursive: true });
  cpSync(join(checkpoints, "step-000004"), join(checkpoints, ".tmp-step-000004"), { recursive: true });
  rmSync(join(checkpoints, "step-000004"), { recursive: true });
  rmSync(join(checkpoints, ".tmp-step-000004", "manifest.json"));
  writeFileSync(join(dir, "sources.json"), JSON.stringify([sourceOf(dir, 2, "new"), sourceOf(dir, 1, "new")]));
}

/** @returns which checkpoints there are after recovery, each of them whole. */
async function recovered(dir: string): Promise<Record<number, string>> {
  const checkpoints = join(dir, "checkpoints");
  await recoverCheckpoints(checkpoints);
  const found: Record<number, string> = {};
  for (const name of readdirSync(checkpoints)) {
    const { step, paramsSha256 } = await verifyCheckpoint(join(checkpoints, name));
    expect(readFileSync(join(checkpoints, name, "trainer.json"), "utf8")).toContain(`of ${paramsSha256} `);
    found[step] = paramsSha256;
  }
  return found;
}

test("killed before, in or after any of its writes, a checkpoint is whole or absent and every other one is whole", async () => {
  const root = mkdtempSync(join(tmpdir(), "lockstep-kill-"));
  const template = join(root, "template");
  await writeTemplate(template);
  const module = bundleChild(root, victim);
  const runVictim = (dir: string, at: number, when: string) => {
    cpSync(template, dir, { recursive: true });
    return new Promise<{ signal: string | undefined; output: string }>((resolve) =>
      execFile(process.execPath, [module, dir, String(at), when], (error, stdout, stderr) =>
        resolve({ signal: error?.signal ?? undefined, output: stdout + stderr }),
      ),
    );
  };
  const undisturbed = join(root, "undisturbed");
  const numCalls = Number((await runVictim(undisturbed, 0, "never")).output);
  // Each place is hit only if every process makes the same calls.
  expect(await runVictim(join(root, "once-more"), 0, "never")).toEqual({ signal: undefined, output: `${numCalls}\n` });
  expect(numCalls).toBeGreaterThan(25);
  expect(await recovered(undisturbed)).toEqual({ 1: "new", 2: "new", 4: "old", 5: "old" });

  const places = Array.from({ length: numCalls }, (_, i) =>
    ["before", "half", "after"].map((when) => ({ at: i + 1, when })),
  ).flat();
  const seen = new Set<string>();
  const killOne = async ({ at, when }: { at: number; when: string }) => {
    const dir = join(root, `${at}-${when}`);
    expect(await runVictim(dir, at, when)).toEqual({ signal: "SIGKILL", output: "" });
    const found = await recovered(dir);
    expect(found, `${when} call ${at}`).toMatchObject({ 4: "old", 5: "old" });
    expect(["old", "new"], `${when} call ${at}`).toContain(found[1]);
    expect(["new", undefined]).toContain(found[2]);
    for (const step of [0, 3]) expect(["old", undefined]).toContain(found[step]);
    seen.add(`${found[2]} ${found[1]} ${found[0]}`);
    rmSync(dir, { recursive: true });
  };
  const killRest = async () => {
    for (let next = places.pop(); next !== undefined; next = places.pop()) await killOne(next);
  };
  await Promise.all([killRest(), killRest(), killRest(), killRest()]);
  // Every stage was met.
  expect([...seen].sort()).toEqual(["new new old", "new new undefined", "new old old", "undefined old old"]);
  expect(existsSync(root)).toBe(true);
  rmSync(root, { recursive: true });
});
