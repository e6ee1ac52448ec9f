import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as collectives from "@lockstep/collectives";
import * as core from "@lockstep/core";
import * as data from "@lockstep/data";
import * as models from "@lockstep/models";
import * as worker from "@lockstep/worker";
import { describe, expect, test } from "vitest";
import { docCommentsOf, examplesOf, exportedFunctions } from "./doc-comments.js";
import { documents, fencedBlocks, isSource, listFiles, read, root } from "./repository.js";

/** What an example may use without importing it. */
const rooms = { core, data, models, collectives, worker };
const coveredFolders = ["ops", "nn", "losses", "optim", "schedules"].map((folder) => `packages/core/src/${folder}`);

describe("every function that core and collectives export says its shapes or its source", () => {
  const folders = [...coveredFolders, "packages/collectives/src"];
  const exported = new Set(["core", "collectives"].flatMap((room) => exportsOf(`packages/${room}/src/index.ts`)));
  const files = folders.flatMap((folder) => listFiles(folder, isSource)).filter((path) => !path.includes("/testing/"));

  test.each(files)("%s", (file) => {
    const bare = exportedFunctions(read(file))
      .filter(({ name }) => exported.has(`${file}#${name}`))
      .filter(({ doc }) => !/@shape|@source/.test(doc))
      .map(({ name }) => name);
    expect(bare).toEqual([]);
  });
});

/** `file#name` of everything a module exports, re-exports followed to where they stand. */
function exportsOf(path: string): string[] {
  const text = read(path);
  const targetOf = (specifier: string) => join(path, "..", specifier.replace(/\.js$/, ".ts")).replaceAll("\\", "/");
  const own = [...text.matchAll(/^export\s+(?:async\s+)?function\*?\s+(\w+)/gm)].map((match) => `${path}#${match[1]}`);
  const all = [...text.matchAll(/export\s+\*(?:\s+as\s+\w+)?\s+from\s+"(\.[^"]+)"/g)].flatMap((match) =>
    exportsOf(targetOf(match[1]!)),
  );
  const named = [...text.matchAll(/export\s+\{([^}]*)\}\s+from\s+"(\.[^"]+)"/g)].flatMap((match) => {
    const names = match[1]!.split(",").map((entry) => entry.trim().split(/\s+as\s+/)[0]!);
    return exportsOf(targetOf(match[2]!)).filter((entry) => names.includes(entry.split("#")[1]!));
  });
  return [...own, ...all, ...named];
}

interface Example {
  readonly title: string;
  readonly code: string;
}

/** Examples that are said not to be run give their reason in the first line: `// not run: needs a job file`. */
const isRun = ({ code }: Example) => !code.startsWith("// not run: ");

function docExamples(): Example[] {
  return listFiles("packages", isSource).flatMap((file) =>
    docCommentsOf(read(file)).flatMap(({ text, name, line }) =>
      examplesOf(text).map((code) => ({ title: `${file}:${line} ${name}`, code })),
    ),
  );
}

function documentExamples(): Example[] {
  return documents().flatMap((document) =>
    fencedBlocks(read(document), "ts").map(({ code, line }) => ({ title: `${document}:${line}`, code })),
  );
}

describe("every example runs and gives what it says", () => {
  const examples = [...docExamples(), ...documentExamples()].filter(isRun);

  test("there are examples", () => {
    expect(examples.length).toBeGreaterThan(0);
  });

  test.each(examples.map((example, number) => ({ ...example, number })))("$title", async ({ code, number }) => {
    const module = (await importExample(code, number)) as { claims: readonly { actual: unknown; expected: string }[] };
    for (const { actual, expected } of module.claims) expectClaim(actual, expected);
  });
});

/** Makes a module of an example: the rooms' names are in scope, `EXPRESSION; // => VALUE` becomes a claim. */
async function importExample(code: string, number: number): Promise<unknown> {
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
  const path = join(folder, `example-${number}.ts`);
  writeFileSync(path, text);
  return import(/* @vite-ignore */ pathToFileURL(path).href);
}

/** `0.6931...` is a prefix, `Int32Array [1, 2]` and any JavaScript value are compared as values, anything else as text. */
function expectClaim(actual: unknown, expected: string): void {
  const prefix = /^(-?[\d.]+)\.\.\.$/.exec(expected)?.[1];
  if (prefix !== undefined) {
    expect(String(actual).slice(0, prefix.length)).toBe(prefix);
    return;
  }
  const literal = expected.replace(/^\w+Array(?=\s*\[)/, "");
  const plain = ArrayBuffer.isView(actual) ? Array.from(actual as Float32Array) : actual;
  const value = evaluate(literal);
  if (value === undefined) expect(String(actual)).toBe(expected);
  else expect(plain).toEqual(value.result);
}

function evaluate(expression: string): { readonly result: unknown } | undefined {
  try {
    return { result: new Function(`return (${expression});`)() as unknown };
  } catch {
    return undefined;
  }
}
