import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { docCommentsOf, examplesOf, exportedFunctions } from "./doc-comments.js";
import { claimsOf, expectClaim } from "./example-claims.testkit.js";
import { documents, fencedBlocks, isSource, listFiles, read } from "./repository.js";

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
    for (const { actual, expected } of await claimsOf(code, `example-${number}`)) expectClaim(actual, expected);
  });
});
