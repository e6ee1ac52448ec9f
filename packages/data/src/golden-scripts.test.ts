import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenNames, goldenScripts, readGolden } from "./golden.testkit.js";

describe("golden files of data", () => {
  test("there is one for each script that writes JSON", () => {
    const scripts = readdirSync(goldenScripts).filter(
      (file) => file.endsWith(".py") && readFileSync(`${goldenScripts}${file}`, "utf8").includes("from _golden_json"),
    );
    expect(goldenNames()).toEqual(scripts.map((file) => file.replace(/\.py$/, "")).sort());
  });

  test.each(goldenNames())("%s was written by the script as it is now (if not: npm run golden)", (name) => {
    const { metadata } = readGolden<object>(name);
    const hash = createHash("sha256")
      .update(readFileSync(`${goldenScripts}_golden_json.py`))
      .update(readFileSync(`${goldenScripts}${metadata.script}`));
    expect(metadata.scriptSha256).toBe(hash.digest("hex"));
    expect(metadata.sklearn).toBe("1.2.1");
  });
});
