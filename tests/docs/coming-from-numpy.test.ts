import { describe, expect, test } from "vitest";
import { claimsOf, expectClaim } from "./example-claims.testkit.js";
import { fencedBlocks, read } from "./repository.js";

const document = "docs/coming-from-numpy.md";
const text = read(document);
const prelude = fencedBlocks(text, "ts")
  .map(({ code }) => code)
  .join("\n");

/** Rows of the tables, without their heads: the two cells, and the line. */
const rows = text.split("\n").flatMap((line, i) => {
  const cells = /^\| (?<theirs>.*?) \| (?<ours>.*) \|$/.exec(line)?.groups;
  return cells === undefined || cells.theirs === "theirs" ? [] : [{ line: i + 1, ...cells } as Row];
});

interface Row {
  readonly line: number;
  readonly theirs: string;
  readonly ours: string;
}

describe(document, () => {
  test("has a row for every habit, in two columns of code", () => {
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.filter(({ theirs, ours }) => !/`/.test(theirs) || !/^`[^`]+ \/\/ => [^`]+`$/.test(ours))).toEqual([]);
  });

  test.each(rows)("line $line: $theirs", async ({ ours, line }) => {
    const claims = await claimsOf(`${prelude}\n${ours.slice(1, -1)}`, `numpy-${line}`);
    expect(claims.length).toBe(1);
    for (const { actual, expected } of claims) expectClaim(actual, expected);
  });
});
