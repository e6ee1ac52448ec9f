import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bundleChild } from "./child-process.testkit.js";
import { takeRunLock } from "./run-lock.js";

const isLinux = process.platform === "linux";

function newDir(): string {
  return mkdtempSync(join(tmpdir(), "lockstep-lock-"));
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch {
    return false;
  }
}

function take(dir: string, processId = process.pid) {
  return takeRunLock({ path: join(dir, "lock"), dir, processId, isAlive });
}

/** A lock file as its holder wrote it, with some fields changed. */
function leaveLock(dir: string, fields: object, name = "lock"): void {
  const holder = { processId: process.pid, processStart: null, bootId: null, hostname: hostname(), token: "t" };
  writeFileSync(join(dir, name), JSON.stringify({ ...holder, ...fields }));
}

const dead = { processId: 2 ** 22 + 7 };
const inUse = expect.objectContaining({ code: "E_RUN_IN_USE" });

test("a lock is held by one, given back once, and leaves no file", () => {
  const dir = newDir();
  const lock = take(dir);
  expect(() => take(dir)).toThrow(inUse);
  lock.dispose();
  expect(readdirSync(dir)).toEqual([]);
  const next = take(dir);
  // The first holder has nothing left to give back.
  lock.dispose();
  expect(readdirSync(dir)).toEqual(["lock"]);
  next.dispose();
});

test.each([
  ["whose process died", dead],
  ["whose process had the number of another that runs now", { processStart: "1" }],
  ["of before the machine's restart", { bootId: "another" }],
])("a lock %s is taken over", (name, fields) => {
  if (!isLinux && name !== "whose process died") return;
  const dir = newDir();
  leaveLock(dir, fields);
  take(dir);
  expect(JSON.parse(readFileSync(join(dir, "lock"), "utf8"))).toMatchObject({ processId: process.pid });
  expect(readdirSync(dir)).toEqual(["lock"]);
});

test("a lock of another machine is not taken, and the message says what to remove", () => {
  const dir = newDir();
  leaveLock(dir, { ...dead, hostname: "elsewhere" });
  expect(() => take(dir)).toThrow(/on machine "elsewhere".* remove .*lock/);
});

test("a taker that died in the middle does not keep others out, one that lives does", () => {
  const dir = newDir();
  leaveLock(dir, dead);
  leaveLock(dir, { ...dead, token: "u" }, "lock.t");
  leaveLock(dir, { ...dead, token: "v" }, "lock.t.u");
  take(dir).dispose();
  expect(readdirSync(dir)).toEqual([]);
  leaveLock(dir, dead);
  leaveLock(dir, {}, "lock.t");
  expect(() => take(dir)).toThrow(inUse);
});

test("a lock file that a power cut emptied is taken over after a moment", () => {
  const dir = newDir();
  writeFileSync(join(dir, "lock"), "");
  take(dir).dispose();
  expect(readdirSync(dir)).toEqual([]);
});

test.skipIf(!isLinux)("a killed process that its parent has not waited for holds nothing", async () => {
  const dir = newDir();
  // The shell becomes a sleep that never waits for its child, which ends at once.
  const parent = spawn("sh", ["-c", "sh -c 'echo $$' & exec sleep 30"], { stdio: ["ignore", "pipe", "ignore"] });
  const [output] = (await once(parent.stdout, "data")) as [Buffer];
  const processId = Number(output.toString());
  while (!/\) Z /.test(readFileSync(`/proc/${processId}/stat`, "utf8")));
  expect(isAlive(processId)).toBe(true);
  leaveLock(dir, { processId });
  take(dir).dispose();
  parent.kill("SIGKILL");
});

const racer = `
import { takeRunLock } from "./run-lock.js";
const isAlive = (id: number) => { try { process.kill(id, 0); return true; } catch { return false; } };
process.on("message", ({ dir, at }: { dir: string; at: number }) => {
  while (Date.now() < at);
  try {
    takeRunLock({ path: dir + "/lock", dir, processId: process.pid, isAlive });
    process.send!("won");
  } catch (error) {
    process.send!((error as { code?: string }).code ?? String(error));
  }
});
process.send!("ready");
`;

test("of 20 processes that find a dead lock at once exactly one gets it, ten times", async () => {
  const dir = newDir();
  const module = bundleChild(dir, racer);
  const children: ChildProcess[] = Array.from({ length: 20 }, () => fork(module, { execArgv: [] }));
  try {
    await Promise.all(children.map((child) => once(child, "message")));
    for (let round = 0; round < 10; round++) {
      const roundDir = join(dir, `round-${round}`);
      mkdirSync(roundDir);
      leaveLock(roundDir, dead);
      // In every other round a taker has died too.
      if (round % 2 === 1) leaveLock(roundDir, { ...dead, token: "u" }, "lock.t");
      const answers = Promise.all(children.map(async (child) => (await once(child, "message"))[0] as string));
      for (const child of children) child.send({ dir: roundDir, at: Date.now() + 50 });
      const expected = ["won", ...Array.from({ length: 19 }, () => "E_RUN_IN_USE")];
      expect((await answers).sort().reverse()).toEqual(expected);
      expect(readdirSync(roundDir)).toEqual(["lock"]);
    }
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
});
