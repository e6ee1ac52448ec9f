/**
 * @file Every op on the CPU backend, in both numeric classes and with 1, 2, 3, 5 and 8 threads.
 * UPDATE_HASHES=1 writes testdata/op-hashes.json instead of comparing with it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { createCpuBackend } from "../cpu/index.js";
import { createNodeCpuBackend } from "../node/index.js";
import { type OpSuite, opHashes, opRegistry, opSuite } from "../testing/index.js";

const hashFile = new URL("../../testdata/op-hashes.json", import.meta.url);
const numericClasses = ["strict", "fused"] as const;

if (process.env["UPDATE_HASHES"] === "1") {
  const hashes = Object.fromEntries(
    numericClasses.map((numeric) => [numeric, opHashes(createNodeCpuBackend({ numeric }))]),
  );
  writeFileSync(hashFile, `${JSON.stringify(hashes, undefined, 2)}\n`);
}
const committed = JSON.parse(readFileSync(hashFile, "utf8")) as Record<string, Record<string, string>>;

for (const numeric of numericClasses) {
  describe(`cpu, ${numeric}`, () => {
    const withThreads = (threads: number) => () => createNodeCpuBackend({ numeric, threads, maxGrain: 1 });
    const suite: OpSuite = opSuite({
      createBackend: () => (numeric === "strict" ? createCpuBackend() : createNodeCpuBackend({ numeric })),
      twins: {
        "2 threads": withThreads(2),
        "3 threads": withThreads(3),
        "5 threads": withThreads(5),
        "8 threads": withThreads(8),
      },
      hashes: committed[numeric] ?? {},
    });
    afterAll(() => suite.dispose());
    for (const { name, run } of suite.cases) test(name, run);
  });
}
