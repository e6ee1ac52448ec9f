import { expect, test } from "vitest";
import type { Pipeline } from "../launch/launcher.js";
import { GpuBuffer } from "../memory/buffer-pool.js";
import { differenceOf, Recorder, type Recording } from "./recording.js";

const bufferOf = (byteLength = 64): GpuBuffer => new GpuBuffer({ size: byteLength } as GPUBuffer, byteLength);
const pipelineOf = (name: string) => ({ name }) as Pipeline;
const [add, mul] = [pipelineOf("add"), pipelineOf("mul")];
const weight = bufferOf();

interface Run {
  readonly place?: { readonly step: number; readonly m: number };
  readonly pipeline?: Pipeline;
  readonly grid?: readonly [number, number, number];
  /** Words before the place, which is the last two. */
  readonly words?: readonly number[];
  readonly external?: GpuBuffer;
  readonly ownBytes?: number;
  readonly isSwapped?: boolean;
  readonly written?: number;
  readonly part?: number;
}

/** One write, one launch of external and own memory, one mark. */
function recordingOf(run: Run = {}): Recording {
  const { place = { step: 3, m: 1 }, words = [7, 8], external = weight, isSwapped = false } = run;
  const recorder = new Recorder(place, [bufferOf()]);
  const own = bufferOf(run.ownBytes ?? 32);
  recorder.allocated(own);
  recorder.wrote(own, 0, Int32Array.of(run.written ?? 5));
  recorder.launched({
    pipeline: run.pipeline ?? add,
    grid: run.grid ?? [2, 1, 1],
    words: Uint32Array.of(...words, place.step, place.m),
    operands: isSwapped ? [own, external] : [external, own],
    isWritten: [false, true],
    placeFields: [
      { word: 2, field: "step" },
      { word: 3, field: "m" },
    ],
  });
  recorder.marked(run.part ?? 0);
  return recorder.finish();
}

test("runs at two places agree when they differ in the place alone", () => {
  expect(differenceOf(recordingOf(), recordingOf())).toBeUndefined();
  expect(differenceOf(recordingOf(), recordingOf({ place: { step: 4, m: 0 } }))).toBeUndefined();
});

test.each<[string, Run, RegExp]>([
  ["another kernel", { pipeline: mul }, /kernel add became mul/],
  ["another grid", { grid: [3, 1, 1] }, /kernel add has another grid/],
  ["another parameter", { words: [7, 9] }, /kernel add has other parameters/],
  ["operands in another order", { isSwapped: true }, /reads or writes other tensors|kernel add has other operands/],
  ["another tensor from outside", { external: bufferOf() }, /reads or writes other tensors/],
  ["memory of another size", { ownBytes: 36 }, /reads or writes other tensors/],
  ["other numbers of its own", { written: 6 }, /numbers that the loss writes itself differ/],
  ["another mark", { part: 1 }, /a mark became a mark/],
])("%s is a difference", (_, run, expected) => {
  expect(differenceOf(recordingOf(), recordingOf(run))).toMatch(expected);
});

test("a word that is the place by chance is not taken for it in the other run", () => {
  // The third word is the step in the one run and stays 3 in the other: not what a replay would put there.
  const fixed = recordingOf({ place: { step: 3, m: 1 } });
  const stuck = recordingOf({ place: { step: 4, m: 1 } });
  const launch = stuck.events.find((event) => event.kind === "launch")!;
  launch.words[2] = 3;
  launch.words[0] = 4;
  expect(differenceOf(fixed, stuck)).toMatch(/kernel add has other parameters/);
});

test("memory that was given away and handed out again is another tensor", () => {
  const external = bufferOf();
  const before = recordingOf({ external });
  external.allocation++;
  expect(differenceOf(before, recordingOf({ external }))).toMatch(/reads or writes other tensors/);
});

test("what happens in a pause belongs to nobody's record", () => {
  const recorder = new Recorder({ step: 0, m: 0 }, []);
  recorder.paused(() => {
    recorder.allocated(bufferOf());
    recorder.wrote(bufferOf(), 0, Int32Array.of(1));
    recorder.refuse("it reads");
  });
  expect(recorder.finish()).toMatchObject({ events: [], instances: [], refusal: undefined });
});
