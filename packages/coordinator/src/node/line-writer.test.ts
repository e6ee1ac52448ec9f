import { mkdtempSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LineWriter } from "./line-writer.js";
import { supersedeLines } from "./run-directory.js";

/** A disk that has room for so many bytes more. */
function fullDisk(room: number, maxWaitingBytes?: number) {
  const path = join(mkdtempSync(join(tmpdir(), "lockstep-lines-")), "metrics.jsonl");
  const disk = { room };
  const writer = new LineWriter(path, {
    ...(maxWaitingBytes === undefined ? {} : { maxWaitingBytes }),
    write: (file, bytes, offset) => {
      const length = Math.min(disk.room, bytes.length - offset);
      if (length === 0) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      disk.room -= length;
      return writeSync(file, bytes, offset, length);
    },
  });
  return { path, disk, writer, text: () => readFileSync(path, "utf8") };
}

const line = (step: number) => ({ step });
const linesTo = (last: number) => Array.from({ length: last }, (_, i) => `{"step":${i + 1}}\n`).join("");

test("lines that a full disk did not take come when there is room, in order, and none is torn", () => {
  const { disk, writer, text } = fullDisk(17);
  expect(writer.append(line(1))).toBeUndefined();
  const problem = writer.append(line(2));
  expect(problem).toContain("ENOSPC: no space left on device");
  expect(problem).toContain("its lines wait until there is room");
  expect(text()).toBe('{"step":1}\n{"step');
  expect(writer.append(line(3))).toBe(problem);
  disk.room = 1e6;
  expect(writer.append(line(4))).toBeUndefined();
  expect(writer.close()).toBeUndefined();
  expect(text()).toBe(linesTo(4));
});

test("lines that wait go when the file is closed, if there is room then", () => {
  const { disk, writer, text } = fullDisk(0);
  expect(writer.append(line(1))).toContain("ENOSPC");
  disk.room = 1e6;
  expect(writer.close()).toBeUndefined();
  expect(text()).toBe(linesTo(1));
});

test("what waits is bounded, and what is lost is counted until the end", () => {
  const { disk, writer, text } = fullDisk(0, 30);
  for (let step = 1; step <= 5; step++) writer.append(line(step));
  expect(writer.append(line(6))).toContain("and 4 are lost");
  disk.room = 1e6;
  expect(writer.append(line(7))).toContain("lacks 4 lines");
  expect(text()).toBe(`${linesTo(2)}{"step":7}\n`);
});

test("a run that goes back while lines wait keeps those before, whole", () => {
  const { path, disk, writer, text } = fullDisk(17);
  for (let step = 1; step <= 4; step++) writer.append(line(step));
  writer.reopen(2, (name) => supersedeLines(name, 2));
  disk.room = 1e6;
  expect(writer.append(line(3))).toBeUndefined();
  expect(text()).toBe(linesTo(3));
  expect(readFileSync(`${path}.superseded`, "utf8")).toBe('{"step\n');
});

test("an existing file is appended to", () => {
  const path = join(mkdtempSync(join(tmpdir(), "lockstep-lines-")), "events.jsonl");
  writeFileSync(path, linesTo(1));
  const writer = new LineWriter(path);
  writer.append(line(2));
  writer.close();
  expect(readFileSync(path, "utf8")).toBe(linesTo(2));
});
