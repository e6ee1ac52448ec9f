import { expect, test } from "vitest";
import { formatProfile } from "./format-profile.js";
import type { JobProfile } from "./profile-job.js";

const kernel = {
  name: "tile",
  count: 4,
  totalMs: 2,
  medianMs: 0.5,
  share: 0.25,
  readBytes: 2048,
  writtenBytes: 1024,
  flops: 4e6,
  bytesPerSecond: 1.536e9,
  flopsPerSecond: 2e9,
  bytesShare: 0.1536,
  flopsShare: 0.02,
};

const profile: JobProfile = {
  job: "tiny",
  backend: "webgpu",
  machine: "Acme 3000",
  isSoftware: false,
  timeSource: "timestamps",
  stepIs: "forward and backward",
  numSteps: 2,
  numMicroBatches: 1,
  plainStep: { wallMs: 12, recording: { javaScriptMs: 4, numLaunches: 8, numSubmits: 2 } },
  replayedStep: { wallMs: 10, recording: { javaScriptMs: 0.04, numLaunches: 8, numSubmits: 1 } },
  watchedMs: 30,
  peak: { bytesPerSecond: 1e10, flopsPerSecond: 1e11 },
  memory: { usedBytes: 1024, peakBytes: 2048, reservedBytes: 4096, numBuffers: 3 },
  summary: {
    lines: [
      { ...kernel, name: "matmul", numLaunches: 4, kernels: [kernel] },
      {
        ...kernel,
        name: "attention",
        numLaunches: 8,
        kernels: [
          kernel,
          { ...kernel, name: "softmax", flops: undefined, flopsPerSecond: undefined, flopsShare: undefined },
        ],
      },
    ],
    numLaunches: 12,
    totalMs: 8,
    numUntimed: 0,
  },
};

test("a profile is a step in words, the machine's peak, and a table of ops and their kernels", () => {
  expect(formatProfile(profile)).toMatchInlineSnapshot(`
    "job "tiny" on webgpu: Acme 3000

    2 steps of 1 micro-batch, after others that are not in the table: forward and backward
    op by op a step takes 12.0 ms: 8 launches in 2 submits, 4.0 ms of JavaScript, 500.0 us a launch
    replayed it takes 10.0 ms: 8 launches in 1 submits, 0.0 ms of JavaScript, 5.0 us a launch
    watched: 15.0 ms a step, 4.0 ms of it in kernels, one after another
    memory: 1.0 KiB in 3 buffers between steps, 2.0 KiB at most, 4.0 KiB taken from the device
    peak measured here: 10.0 GB/s (a copy), 100 GFLOPS (multiply-adds in registers)

    op         kernel     launches  total ms  median us  share     read  written  GB/s  of peak  flops  GFLOPS  of peak
    matmul     tile              4      2.00      500.0  25.0%  2.0 KiB  1.0 KiB  1.54    15.4%  4.00M    2.00     2.0%
    attention  2 kernels         8      2.00      500.0  25.0%  2.0 KiB  1.0 KiB  1.54    15.4%  4.00M    2.00     2.0%
               tile              4      2.00      500.0  25.0%  2.0 KiB  1.0 KiB  1.54    15.4%  4.00M    2.00     2.0%
               softmax           4      2.00      500.0  25.0%  2.0 KiB  1.0 KiB  1.54    15.4%      -       -        -"
  `);
});

test("what does not hold is said before the figures", () => {
  const { replayedStep: _none, ...rest } = profile;
  const notReplayed = "the step is not replayed: its loss reads values";
  const text = formatProfile({ ...rest, isSoftware: true, timeSource: "ops run alone", notReplayed });
  expect(text).toMatch(/its kernel times mean nothing for a GPU; launches, bytes and flops hold/);
  expect(text).toMatch(/no timestamp-query: times are of each op run alone, from submit to done/);
  expect(text).toContain(notReplayed);
  expect(text).not.toContain("replayed it takes");
  const untimed = formatProfile({ ...profile, summary: { ...profile.summary, numUntimed: 5 } });
  expect(untimed).toContain("the device gave no time for 5 of 12 launches");
});
