/**
 * @file Setup of the traced run of the golden tests: writes down which op every test executed, forward and in backward.
 * One file a test file: `{ test name: [op names] }`.
 */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, vi } from "vitest";
import { traceFolder } from "./trace-folder.mjs";

const executed = vi.hoisted(() => ({ byTest: {} }));

/** The op with an `apply` that says that it was called. Every function of ops and every vjp goes through `apply`. */
function traced(define) {
  return (contract) => {
    const op = define(contract);
    const apply = (...rest) => {
      const test = expect.getState().currentTestName;
      if (test !== undefined) {
        executed.byTest[test] ??= new Set();
        executed.byTest[test].add(op.name);
      }
      return op.apply(...rest);
    };
    return { ...op, apply };
  };
}

vi.mock("../../packages/core/src/ops/apply.ts", async (load) => {
  const module = await load();
  return { ...module, defineStructural: traced(module.defineStructural), defineView: traced(module.defineView) };
});
vi.mock("../../packages/core/src/ops/elementwise.ts", async (load) => {
  const module = await load();
  return { ...module, defineElementwise: traced(module.defineElementwise) };
});

afterAll(() => {
  const { testPath } = expect.getState();
  const byTest = Object.fromEntries(Object.entries(executed.byTest).map(([test, ops]) => [test, [...ops]]));
  mkdirSync(traceFolder, { recursive: true });
  const name = createHash("sha256").update(testPath).digest("hex").slice(0, 16);
  writeFileSync(join(traceFolder, `${name}.json`), JSON.stringify(byTest));
});
