import { expect, test } from "vitest";
import { claimsOf, expectClaim } from "./example-claims.testkit.js";
import { fencedBlocks, read } from "./repository.js";

/** The blocks are one program, so they are not each an example of their own: "typescript" instead of "ts". */
test("docs/transfer.md does what it says, from loading to the gentle learning rates", async () => {
  const program = fencedBlocks(read("docs/transfer.md"), "typescript")
    .map(({ code }) => code)
    .join("\n");
  const claims = await claimsOf(program, "transfer");
  expect(claims.length).toBe(12);
  for (const { actual, expected } of claims) expectClaim(actual, expected);
});
