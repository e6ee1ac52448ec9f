import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenNames, goldenScripts, readGolden } from "./golden-file.testkit.js";

const shared = readFileSync(`${goldenScripts}_golden.py`);

describe("golden files", () => {
  test("there is one for each script", () => {
    const scripts = readdirSync(goldenScripts).filter(
      (file) => file.endsWith(".py") && readFileSync(`${goldenScripts}${file}`, "utf8").includes("from _golden import"),
    );
    expect(goldenNames()).toEqual(scripts.map((file) => file.replace(/\.py$/, "")).sort());
  });

  test.each(goldenNames())("%s was written by the script as it is now (if not: npm run golden)", (name) => {
    const { metadata } = readGolden(name);
    const hash = createHash("sha256")
      .update(shared)
      .update(readFileSync(`${goldenScripts}${metadata.script}`));
    expect(metadata.scriptSha256).toBe(hash.digest("hex"));
    expect(metadata.torch).toMatch(/^1\.13\./);
    expect(Number(metadata.seed)).toBeGreaterThan(0);
  });
});
