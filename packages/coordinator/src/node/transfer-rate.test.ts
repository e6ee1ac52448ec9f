import { VirtualClock } from "@lockstep/collectives/testing";
import { expect, test } from "vitest";
import { TransferRate } from "./transfer-rate.js";

/** Each transfer's moment, in order. */
function transfers(rate: TransferRate, clock: VirtualClock, sizes: readonly number[]): number[] {
  const atMs: number[] = [];
  for (const size of sizes) void rate.take(size).then(() => atMs.push(clock.nowMs()));
  return atMs;
}

test("bytes go at the rate, in turn; a pause is not made up for", async () => {
  const clock = new VirtualClock();
  const rate = new TransferRate(1_000, clock);
  const first = transfers(rate, clock, [500, 250, 250, 100]);
  await clock.runTo(5_000);
  expect(first).toEqual([0, 500, 750, 1_000]);
  const second = transfers(rate, clock, [100, 100]);
  await clock.runTo(9_000);
  expect(second).toEqual([5_000, 5_100]);
});

test("without a rate nothing waits", async () => {
  const clock = new VirtualClock();
  const atMs = transfers(new TransferRate(undefined, clock), clock, [1e9, 1e9]);
  await clock.runTo(1);
  expect(atMs).toEqual([0, 0]);
});

test("when nobody trains any more, what waits goes at once; when somebody does again, the rate holds again", async () => {
  const clock = new VirtualClock();
  const rate = new TransferRate(1_000, clock);
  const waiting = transfers(rate, clock, [1_000, 1_000, 1_000]);
  await clock.runTo(300);
  rate.limit(false);
  await clock.runTo(400);
  expect(waiting).toEqual([0, 300, 300]);
  rate.limit(true);
  const later = transfers(rate, clock, [1_000, 1_000]);
  await clock.runTo(3_000);
  expect(later).toEqual([400, 1_400]);
});
