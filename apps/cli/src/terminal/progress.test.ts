import { expect, test } from "vitest";
import { createProgressView, describeStep } from "./progress.js";

const metrics = { step: 12, loss: 2.31415, tokensPerSec: 18_312, stepMs: 100, worldSize: 2, generation: 1 };

function recordView(fields: { isTTY?: boolean; quiet?: boolean; columns?: number } = {}) {
  const written: string[] = [];
  let nowMs = 0;
  const stream = {
    write: (text: string) => written.push(text),
    isTTY: fields.isTTY ?? false,
    columns: fields.columns ?? 200,
  };
  const view = createProgressView({
    format: "pretty",
    quiet: fields.quiet ?? false,
    lastStep: 600,
    stream,
    nowMs: () => nowMs,
  });
  return { view, written, advance: (ms: number) => (nowMs += ms) };
}

test("a line names loss, rate, time left, workers and generation", () => {
  expect(describeStep(metrics, 600, 100)).toBe(
    "step  12/600  loss 2.3142  18.3k tokens/s  ETA 58.8s  2 workers  generation 1",
  );
});

test("a job without tokens shows samples", () => {
  expect(describeStep({ ...metrics, tokensPerSec: undefined, samplesPerSec: 640, worldSize: 1 }, 600, 100)).toContain(
    "640 samples/s  ETA 58.8s  1 worker  ",
  );
});

test("a pipe gets plain lines, at most one every two seconds, and always the last", () => {
  const { view, written, advance } = recordView();
  for (let step = 1; step <= 600; step++) {
    view.step({ ...metrics, step });
    advance(100);
  }
  expect(written).toHaveLength(31);
  expect(written.at(-1)).toContain("step 600/600");
  expect(written.join("")).not.toContain("\u001b");
});

test("a terminal gets one line that is drawn again under a note", () => {
  const { view, written } = recordView({ isTTY: true, columns: 20 });
  view.step(metrics);
  view.note("worker w-1 joined");
  view.end();
  expect(written).toEqual(["step  12/600  loss ", "\r\u001b[2K", "worker w-1 joined\n", "step  12/600  loss ", "\n"]);
});

test("quiet writes nothing", () => {
  const { view, written } = recordView({ quiet: true });
  view.step(metrics);
  view.note("x");
  view.warn("y");
  view.end();
  expect(written).toEqual([]);
});
