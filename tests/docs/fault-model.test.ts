import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..");
const folders = {
  decide: ["packages/coordinator/src/decide", ".test.ts"],
  node: ["packages/coordinator/src/node", ".test.ts"],
  fault: ["tests/fault", ".process.test.ts"],
  storage: ["tests/fault/storage", ".process.test.ts"],
} as const;

/** What the third column of the table names: a test file, and the beginnings of tests in it. */
function namedTests(): { readonly file: string; readonly titles: readonly string[] }[] {
  const text = readFileSync(join(root, "docs", "fault-model.md"), "utf8");
  const rows = text.split("\n").filter((line) => line.startsWith("| ") && line.split("|").length === 5);
  return rows.flatMap((row) =>
    [...row.split("|")[3]!.matchAll(/`(decide|node|fault|storage)\/([\w-]+)`(?:: ("[^`]*))?/g)].map(
      ([, folder, name, rest]) => {
        const [path, ending] = folders[folder as keyof typeof folders];
        return { file: join(path, name + ending), titles: [...(rest ?? "").matchAll(/"([^"]+)"/g)].map(([, t]) => t!) };
      },
    ),
  );
}

test("every test that the fault model names is there", () => {
  const named = namedTests();
  expect(named.length).toBeGreaterThan(35);
  const missing = named.flatMap(({ file, titles }) => {
    if (!existsSync(join(root, file))) return [file];
    const text = readFileSync(join(root, file), "utf8");
    return titles.filter((title) => !text.includes(title)).map((title) => `${file}: ${title}`);
  });
  expect(missing).toEqual([]);
});
