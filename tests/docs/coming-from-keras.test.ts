import { describe, expect, test } from "vitest";
import { claimsOf, expectClaim } from "./example-claims.testkit.js";
import { fencedBlocks, read } from "./repository.js";

const document = "docs/coming-from-keras.md";
const text = read(document);
const prelude = fencedBlocks(text, "ts")[0]!.code;

interface Row {
  readonly line: number;
  readonly theirs: string;
  readonly ours: string;
}

/** Rows of the tables, without their heads: the two cells, and the line. */
const rows = text.split("\n").flatMap((line, i) => {
  const cells = /^\| (?<theirs>.*?) \| (?<ours>.*) \|$/.exec(line)?.groups;
  return cells === undefined || cells.theirs === "theirs" ? [] : [{ line: i + 1, ...cells } as Row];
});

describe(document, () => {
  test("has a row for every habit, in two columns, the right one of code and its value", () => {
    expect(rows.length).toBeGreaterThan(25);
    expect(rows.filter(({ ours }) => !/^`[^`]+ \/\/ => [^`]+`$/.test(ours))).toEqual([]);
  });

  test.each(rows)("line $line: $theirs", async ({ ours, line }) => {
    const [, expression, expected] = /^`(.*) \/\/ => (.*)`$/.exec(ours)!;
    const claim = `claims.push({ actual: await (${expression}), expected: ${JSON.stringify(expected)} });`;
    const claims = await claimsOf(`${prelude}\n${claim}`, `keras-${line}`);
    expect(claims.length).toBe(1);
    for (const { actual, expected } of claims) expectClaim(actual, expected);
  });
});
