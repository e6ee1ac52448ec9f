/** @file Finds doc comments in source text: what they precede, and the examples in them. */

export interface DocComment {
  readonly text: string;
  /** The declaration that follows, up to its name: kind and name. */
  readonly kind: string;
  readonly name: string;
  readonly line: number;
}

const pattern =
  /\/\*\*(?<text>(?:(?!\*\/)[\s\S])*)\*\/\s*(?:export\s+)?(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:(?<kind>function|class|const|interface|type)\*?\s+)?(?<name>[\w$]+)?/g;

/** Every doc comment of a module, with the stars taken off. */
export function docCommentsOf(source: string): DocComment[] {
  return [...source.matchAll(pattern)].map((match) => ({
    text: match
      .groups!.text!.split("\n")
      .map((line) => line.replace(/^\s*\*? ?/, ""))
      .join("\n")
      .trim(),
    kind: match.groups!.kind ?? "",
    name: match.groups!.name ?? "",
    line: source.slice(0, match.index).split("\n").length,
  }));
}

/** The code of each `@example` in a doc comment, up to the next tag. */
export function examplesOf(doc: string): string[] {
  return doc
    .split(/^@/m)
    .filter((part) => part.startsWith("example"))
    .map((part) => part.slice("example".length).trim());
}

/** Names of functions that a module exports, with their doc comment's text ("" where there is none). */
export function exportedFunctions(source: string): { readonly name: string; readonly doc: string }[] {
  const docs = new Map(docCommentsOf(source).map(({ name, text }) => [name, text]));
  const names = [...source.matchAll(/^export\s+(?:async\s+)?function\*?\s+(\w+)/gm)].map((match) => match[1]!);
  return [...new Set(names)].map((name) => ({ name, doc: docs.get(name) ?? "" }));
}
