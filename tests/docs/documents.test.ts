import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import * as protocol from "@lockstep/protocol";
import { createProgram } from "lockstep";
import { describe, expect, test } from "vitest";
import { renderErrorList } from "../../tools/docs/error-list.mjs";
import { renderProtocolTable, replaceProtocolTable } from "../../tools/docs/protocol-table.mjs";
import { documents, fencedBlocks, read, root } from "./repository.js";

const rooms = "packages|apps|examples|benchmarks|tests|docs|tools|\\.ci";
const pathInCode = new RegExp(`\`((?:${rooms})/[\\w./@-]+)\``, "g");
const link = /\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g;

describe.each(documents())("%s", (document) => {
  const text = read(document);

  test("names only files and folders that are there", () => {
    const inCode = [...text.matchAll(pathInCode)].map((match) => match[1]!.replace(/\/$/, ""));
    const links = [...text.matchAll(link)].map((match) => join(dirname(document), match[1]!));
    const paths = [...inCode, ...links].filter((path) => !/\bNAME\b/.test(path)); // NAME stands for the reader's
    const missing = paths.filter((path) => !existsSync(join(root, path)));
    expect(missing).toEqual([]);
  });

  test("names only npm scripts that are there", () => {
    const scripts = Object.keys((JSON.parse(read("package.json")) as { scripts: object }).scripts);
    const named = [...text.matchAll(/\bnpm run ([a-z][\w:-]*)/g)].map((match) => match[1]!);
    expect(named.filter((name) => !scripts.includes(name))).toEqual([]);
  });

  test("names only commands and flags that lockstep has", () => {
    const shell = ["sh", "bash", "console", ""].flatMap((language) => fencedBlocks(text, language));
    const lines = shell.flatMap(({ code }) => code.split("\n"));
    const unknown = lines.flatMap((line) => unknownWords(line));
    expect(unknown).toEqual([]);
  });
});

/** Words of a `lockstep ...` line that the command line does not have. */
function unknownWords(line: string): string[] {
  const words = /(?:^|\s)lockstep\s+([a-z].*)$/.exec(line)?.[1]?.split(/\s+/);
  if (!words) return [];
  const command = createProgram(() => {}).commands.find((entry) => entry.name() === words[0]);
  if (!command) return [words[0]!];
  const flags = words.filter((word) => word.startsWith("--")).map((word) => word.split("=")[0]!);
  const known = ["--help", ...command.options.map(({ long }) => long)];
  return flags.filter((flag) => !known.includes(flag)).map((flag) => `${words[0]} ${flag}`);
}

test("docs/errors.md is what the sources say", () => {
  expect(read("docs/errors.md"), "run: npm run docs").toBe(renderErrorList(root));
});

test("the table of docs/protocol.md is what the protocol says", () => {
  const text = read("docs/protocol.md");
  expect(text, "run: npm run docs").toBe(replaceProtocolTable(text, renderProtocolTable(protocol)));
});
