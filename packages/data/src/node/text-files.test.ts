import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readTextFiles } from "./index.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "text-files-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("readTextFiles", () => {
  test("reads the files of a folder in the order of their names, and a file alone", () => {
    for (const [name, text] of Object.entries({ "b.txt": "two", "a.txt": "\ufeffone", "c.md": "other" })) {
      writeFileSync(join(folder, name), text);
    }
    expect(readTextFiles(folder, { suffix: ".txt" })).toEqual([
      { path: join(folder, "a.txt"), text: "one" },
      { path: join(folder, "b.txt"), text: "two" },
    ]);
    expect(readTextFiles(join(folder, "c.md")).map(({ text }) => text)).toEqual(["other"]);
  });

  test.each([
    {
      name: "none",
      message: /^readTextFiles: .+none cannot be read as text \(.*ENOENT.*\); it must be a file in UTF-8/,
    },
    {
      name: "latin1.txt",
      message: /^readTextFiles: .+latin1.txt cannot be read as text \(.+\); it must be a file in UTF-8/,
    },
    { name: "", message: /^readTextFiles: folder .+ has no file that ends in "\.md"; it must have at least one\.$/ },
  ])("refuses $name", ({ name, message }) => {
    writeFileSync(join(folder, "latin1.txt"), Buffer.from([0x63, 0xe9]));
    expect(() => readTextFiles(join(folder, name), { suffix: ".md" })).toThrow(
      expect.objectContaining({ code: "E_FILE", message: expect.stringMatching(message) }),
    );
  });
});
