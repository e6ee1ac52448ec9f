/** @file Runs examples of documents and doc comments, and compares what they give with what they say. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as collectives from "@lockstep/collectives";
import * as core from "@lockstep/core";
import * as data from "@lockstep/data";
import * as models from "@lockstep/models";
import * as worker from "@lockstep/worker";
import { expect } from "vitest";
import { root } from "./repository.js";

/** What an example may use without importing it. */
const rooms = { core, data, models, collectives, worker };

/** `EXPRESSION; // => VALUE` of an example: what the expression gave, and the text behind the arrow. */
export interface Claim {
  readonly actual: unknown;
  readonly expected: string;
}

/** Runs an example as a module in which the rooms' names are in scope, and answers its claims. */
export async function claimsOf(code: string, name: string): Promise<readonly Claim[]> {
  const folder = join(root, ".lockstep", "examples");
  mkdirSync(folder, { recursive: true });
  const imported = [...code.matchAll(/import\s+(?:type\s+)?\{([^}]*)\}/g)].flatMap((match) =>
    match[1]!.split(/[,\s]+/),
  );
  const declared = [...code.matchAll(/\b(?:const|let|class|function)\s+(\w+)/g)].map((match) => match[1]!);
  const isFree = (name: string) =>
    new RegExp(`\\b${name}\\b`).test(code) && !imported.includes(name) && !declared.includes(name);
  const inScope = Object.entries(rooms).flatMap(([room, exports]) => {
    const names = Object.keys(exports).filter(isFree);
    return names.length > 0 ? [`import { ${names.join(", ")} } from "@lockstep/${room}";`] : [];
  });
  const body = code.replace(
    /^(?<expression>[^\n;]*?\S);?[ \t]*\/\/ => (?<value>.*)$/gm,
    (line: string, expression: string, value: string) =>
      /^\s*(const|let)\s/.test(expression)
        ? line
        : `claims.push({ actual: await (${expression}), expected: ${JSON.stringify(value.trim())} });`,
  );
  const text = [...inScope, "export const claims: { actual: unknown; expected: string }[] = [];", body].join("\n");
  const path = join(folder, `${name}.ts`);
  writeFileSync(path, text);
  const module = (await import(/* @vite-ignore */ pathToFileURL(path).href)) as { readonly claims: readonly Claim[] };
  return module.claims;
}

/** `0.6931...` is a prefix, `Int32Array [1, 2]` and any JavaScript value are compared as values, a tensor as its numbers, anything else as text. */
export function expectClaim(actual: unknown, expected: string): void {
  const prefix = /^(-?[\d.]+)\.\.\.$/.exec(expected)?.[1];
  if (prefix !== undefined) {
    expect(String(actual).slice(0, prefix.length)).toBe(prefix);
    return;
  }
  const literal = expected.replace(/^\w+Array(?=\s*\[)/, "");
  const plain = plainValue(actual);
  const value = evaluate(literal);
  if (value === undefined) expect(String(actual)).toBe(expected);
  else expect(plain).toEqual(value.result);
}

function plainValue(actual: unknown): unknown {
  if (actual instanceof core.Tensor) return actual.toArraySync();
  return ArrayBuffer.isView(actual) ? Array.from(actual as Float32Array) : actual;
}

function evaluate(expression: string): { readonly result: unknown } | undefined {
  try {
    return { result: new Function(`return (${expression});`)() as unknown };
  } catch {
    return undefined;
  }
}
