/**
 * @file Every op on the CPU backend, in both numeric classes and with 1, 2, 3, 5 and 8 threads.
 * UPDATE_HASHES=1 writes testdata/op-hashes.json instead of comparing with it.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { createCpuBackend } from "../cpu/index.js";
import { LockstepError } from "../errors.js";
import { createNodeCpuBackend } from "../node/index.js";
import { type Op, type OpSuite, opHashes, opRegistry, opSuite } from "../testing/index.js";

const hashFile = new URL("../../testdata/op-hashes.json", import.meta.url);
const numericClasses = ["strict", "fused"] as const;

const committed = JSON.parse(readFileSync(hashFile, "utf8")) as Record<string, Record<string, string>>;

/** "fused" is refused on machines without a fused multiply-add. */
function isAvailable(numeric: (typeof numericClasses)[number]): boolean {
  try {
    createNodeCpuBackend({ numeric }).dispose();
    return true;
  } catch (error) {
    if (error instanceof LockstepError && error.code === "E_NUMERIC_CLASS") return false;
    throw error;
  }
}

if (process.env.UPDATE_HASHES === "1") {
  for (const numeric of numericClasses) {
    if (isAvailable(numeric)) committed[numeric] = await opHashes(createNodeCpuBackend({ numeric }));
  }
  writeFileSync(hashFile, `${JSON.stringify(committed, undefined, 2)}\n`);
}

for (const numeric of numericClasses) {
  describe.skipIf(!isAvailable(numeric))(`cpu, ${numeric}`, () => {
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

test("every op that a file of this folder defines is in the registry", async () => {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  const defined: string[] = [];
  for (const file of files) {
    const exported = Object.values((await import(/* @vite-ignore */ `./${file}`)) as Record<string, unknown>);
    for (const value of exported) if (isOp(value)) defined.push(value.name);
  }
  const registered = opRegistry.map((op) => op.name);
  expect(registered.toSorted()).toEqual([...new Set(defined)].sort());
  expect(new Set(registered).size).toBe(registered.length);
});

function isOp(value: unknown): value is Op {
  return typeof value === "object" && value !== null && "call" in value && "samples" in value;
}

test("the ops without a gradient are the expected ones", () => {
  const names = opRegistry.filter((op) => op.notDifferentiable !== undefined).map((op) => op.name);
  const kinds = ["isFinite", "isInf", "isNaN", "logicalAnd", "logicalNot", "logicalOr", "logicalXor"];
  const others = [
    "argMax",
    "argMin",
    "cast",
    "eq",
    "floorDivide",
    "ge",
    "gt",
    "integerProd",
    "isClose",
    "le",
    "lt",
    "ne",
    "searchSorted",
  ];
  expect(names.sort()).toEqual([...others, ...kinds].sort());
});

test("every op has samples under different names, and each differentiable one has its gradient checked", () => {
  const unchecked = opRegistry.filter(
    ({ samples, notDifferentiable }) =>
      samples.length === 0 ||
      new Set(samples.map(({ name }) => name)).size !== samples.length ||
      (notDifferentiable === undefined && samples.every(({ checkVjp }) => checkVjp === false)),
  );
  expect(unchecked.map((op) => op.name)).toEqual([]);
});

test("no hash is committed for a sample that does not exist", () => {
  const keys = new Set(opRegistry.flatMap((op) => op.samples.map((sample) => `${op.name}: ${sample.name}`)));
  for (const numeric of numericClasses) {
    expect(Object.keys(committed[numeric] ?? {}).filter((key) => !keys.has(key))).toEqual([]);
  }
});

test("the fused ops have a composite", () => {
  const names = opRegistry.filter((op) => op.composite !== undefined).map((op) => op.name);
  expect(names).toEqual(
    expect.arrayContaining([
      "linear",
      "softmax",
      "layerNorm",
      "crossEntropy",
      "linearCrossEntropy",
      "causalAttention",
      "packedCausalAttention",
    ]),
  );
});
