/** @file Tables of what others write and what is written here: each right cell is code, run with the document's own imports. */
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { claimsOf, expectClaim } from "./example-claims.testkit.js";
import { fencedBlocks, read } from "./repository.js";

interface Document {
  readonly path: string;
  readonly moreRowsThan: number;
  /** How many blocks of code stand before each row's; default 1. */
  readonly numBlocks?: number;
  /** What a left cell must look like; default anything. */
  readonly theirs?: RegExp;
}

const documents: readonly Document[] = [
  { path: "docs/coming-from-numpy.md", moreRowsThan: 50, numBlocks: Number.POSITIVE_INFINITY, theirs: /`/ },
  { path: "docs/coming-from-pytorch.md", moreRowsThan: 100 },
  { path: "docs/coming-from-scikit-learn.md", moreRowsThan: 100 },
  { path: "docs/coming-from-keras.md", moreRowsThan: 25 },
];

interface Row {
  readonly line: number;
  readonly theirs: string;
  readonly ours: string;
}

/** Rows of a document's tables, without their heads: the two cells, and the line. */
function rowsOf(text: string): readonly Row[] {
  return text.split("\n").flatMap((line, i) => {
    const cells = /^\| (?<theirs>.*?) \| (?<ours>.*) \|$/.exec(line)?.groups;
    return cells === undefined || cells.theirs === "theirs" ? [] : [{ line: i + 1, ...cells } as Row];
  });
}

describe.each(documents)("$path", ({ path, moreRowsThan, numBlocks = 1, theirs: left = /^/ }) => {
  const text = read(path);
  const blocks = fencedBlocks(text, "ts").slice(0, numBlocks);
  const prelude = blocks.map(({ code }) => code).join("\n");
  const rows = rowsOf(text);

  test("has a row for every habit, in two columns, the right one of code and its value", () => {
    expect(blocks.length).toBeGreaterThan(0);
    expect(rows.length).toBeGreaterThan(moreRowsThan);
    expect(rows.filter(({ theirs, ours }) => !left.test(theirs) || !/^`[^`]+ \/\/ => [^`]+`$/.test(ours))).toEqual([]);
  });

  test.each(rows)("line $line: $theirs", async ({ ours, line }) => {
    const [, expression, expected] = /^`(.*) \/\/ => (.*)`$/.exec(ours)!;
    const claim = `claims.push({ actual: await (${expression}), expected: ${JSON.stringify(expected)} });`;
    const claims = await claimsOf(`${prelude}\n${claim}`, `${basename(path, ".md")}-${line}`);
    expect(claims.length).toBe(1);
    for (const { actual, expected } of claims) expectClaim(actual, expected);
  });
});
