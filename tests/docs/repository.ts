/** @file The repository as the docs tests see it: its documents and its sources, as text. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Files under a folder of the repository whose path `accept` takes, relative to the root, sorted. */
export function listFiles(folder: string, accept: (path: string) => boolean): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !["node_modules", "dist", "runs", "out", ".turbo"].includes(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return listFiles(path, accept);
      return accept(path) ? [relative(root, join(root, path)).replaceAll("\\", "/")] : [];
    })
    .sort();
}

export const read = (path: string): string => readFileSync(join(root, path), "utf8");

export const isSource = (path: string): boolean =>
  path.endsWith(".ts") && !/\.(test|testkit|bench)\.ts$|\.d\.ts$/.test(path);

/** Every Markdown document of the project. */
export function documents(): string[] {
  const inRoot = readdirSync(root).filter((name) => name.endsWith(".md"));
  const below = ["docs", "examples", "benchmarks"].flatMap((folder) =>
    listFiles(folder, (path) => path.endsWith(".md")),
  );
  return [...inRoot, ...below].sort();
}

/** Fenced blocks of a document in one language, with the line each begins at. */
export function fencedBlocks(text: string, language: string): { readonly code: string; readonly line: number }[] {
  const pattern = new RegExp(`^\`\`\`${language}[ \\t]*\\n([\\s\\S]*?)^\`\`\``, "gm");
  return [...text.matchAll(pattern)].map((match) => ({
    code: match[1]!,
    line: text.slice(0, match.index).split("\n").length,
  }));
}
