import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { reportPage } from "./page.js";
import { readRunLog } from "./run-log.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-report-"));
  const config = { schema: 1, version: "0.1.0", name: "job", seed: 3, numeric: "strict", jobSha256: "00", files: [] };
  write("config.json", JSON.stringify({ ...config, config: { note: "<b>", learningRate: 0.1 } }));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const line = (step: number, loss: number) => JSON.stringify({ step, loss, worldSize: 2, generation: 1 });
const event = (ms: number, fields: object) =>
  JSON.stringify({ time: new Date(Date.UTC(2026, 0, 1) + ms).toISOString(), step: 1, generation: 1, ...fields });
const refusal = (code: string, ...parts: string[]) =>
  expect.objectContaining({ code, message: expect.stringMatching(new RegExp(parts.join(".*"))) });

test("a run without a step is refused, with what is missing", () => {
  expect(() => readRunLog(folder, "runs/a")).toThrow(refusal("E_USAGE_METRICS", "runs/a has no metrics.jsonl"));
  write("metrics.jsonl", "");
  expect(() => readRunLog(folder, "runs/a")).toThrow(refusal("E_USAGE_METRICS", "no line in its metrics.jsonl"));
});

test("a broken line is named by file and number", () => {
  write("metrics.jsonl", `${line(1, 2)}\n{"step":2,"lo\n${line(3, 1)}\n`);
  expect(() => readRunLog(folder, "a")).toThrow(refusal("E_USAGE_LINE", "metrics.jsonl line 2 is not JSON"));
  write("metrics.jsonl", `${line(1, 2)}\n${line(2, 1)}\n{"step":3,"loss":"low"}\n`);
  expect(() => readRunLog(folder, "a")).toThrow(refusal("E_USAGE_LINE", "metrics.jsonl line 3 has loss"));
  write("metrics.jsonl", `${line(1, 2)}\n`);
  write("events.jsonl", `${event(0, { type: "joined", reason: "r" })}\n{"type":"left"}\n`);
  expect(() => readRunLog(folder, "a")).toThrow(refusal("E_USAGE_LINE", "events.jsonl line 2 has time"));
});

test("a last line that is cut off is left out, and the report says so", () => {
  write("metrics.jsonl", `${line(1, 2)}\n${line(2, 1)}\n{"step":3,`);
  const log = readRunLog(folder, "a");
  expect(log.steps.map(({ step }) => step)).toEqual([1, 2]);
  expect(log.notes[0]).toMatch(/metrics.jsonl \(line 3\) is cut off/);
  expect(reportPage({ log, shown: "a" })).toContain("(line 3) is cut off");
});

test("the page has what the files say, escaped, and asks for nothing outside it", () => {
  write("metrics.jsonl", `${line(1, 2)}\n${line(2, 1.5)}\n`);
  const events = [
    event(0, { type: "joined", reason: 'worker "a" joined', workerId: "w-1", name: "a" }),
    event(1_000, { type: "joined", reason: 'worker "b" joined', workerId: "w-2", name: "b" }),
    event(2_000, { type: "commit", reason: "step 1" }),
    event(3_000, { type: "evicted", reason: "it was <slow>", workerId: "w-1", name: "a" }),
    event(4_000, { type: "checkpoint", reason: "written" }),
  ];
  write("events.jsonl", `${events.join("\n")}\n`);
  write("summary.json", JSON.stringify({ status: "completed", steps: 2, trainLoss: 1.5, wallMs: 4_000 }));
  const page = reportPage({ log: readRunLog(folder, "runs/a"), shown: "runs/a" });
  expect(page).toContain("it was &lt;slow&gt;");
  expect(page).toContain("<th>note</th><td>&lt;b&gt;</td>");
  expect(page).not.toMatch(/<script|https?:|@import|url\(/);
  expect(page).toContain("4 events; 1 commits of steps are not listed.");
  // Of 4 s on 988 units: a from 0 to 3 s, b from 1 to 4 s.
  expect(page).toContain('data-worker="w-1" x="120" y="10" width="741"');
  expect(page).toContain('data-worker="w-2" x="367" y="30" width="741"');
  expect(page).toMatch(/<dt>workers lost<\/dt><dd>1<\/dd>/);
});
