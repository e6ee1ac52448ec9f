import { expect, test } from "vitest";
import { formatBytes, formatCount, formatDuration, formatTable } from "./format.js";

test("counts get a unit from ten thousand on", () => {
  expect([999, 9_999, 12_345, 10_700_000, 2.5e9].map(formatCount)).toEqual(["999", "9999", "12.3k", "10.70M", "2.50G"]);
});

test("durations are read at a glance", () => {
  expect([1_234, 59_999, 93_000, 3_720_000].map(formatDuration)).toEqual(["1.2s", "60.0s", "1m33s", "1h02m"]);
});

test("bytes are binary units", () => {
  expect([512, 1_536, 3_355_443].map(formatBytes)).toEqual(["512 B", "1.5 KiB", "3.2 MiB"]);
});

test("tables put words left and numbers right", () => {
  const table = formatTable([
    ["name", "ms"],
    ["gpt-small", "12.5"],
    ["mlp", "3"],
  ]);
  expect(table).toBe("name         ms\ngpt-small  12.5\nmlp           3");
});
