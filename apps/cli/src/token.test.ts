import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createToken, readToken, writeTokenFile } from "./token.js";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-token-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a file wins over --token, and --token over the environment", () => {
  const tokenFile = join(folder, "given");
  writeFileSync(tokenFile, "from-file-1\n");
  const env = { LOCKSTEP_TOKEN: "from-environment" };
  expect(readToken({ tokenFile, token: "from-flag-1" }, env, () => {})).toBe("from-file-1");
  expect(readToken({ token: "from-flag-1" }, env, () => {})).toBe("from-flag-1");
  expect(readToken({}, env, () => {})).toBe("from-environment");
  expect(readToken({}, {}, () => {})).toBeUndefined();
});

test("--token warns without showing the token", () => {
  const warnings: string[] = [];
  readToken({ token: "secret-secret" }, {}, (line) => warnings.push(line));
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain("process lists");
  expect(warnings[0]).not.toContain("secret");
});

test("a token that is too short is refused by its length, not by its text", () => {
  expect(() => readToken({ token: "abc" }, {}, () => {})).toThrow(/--token holds 3 characters/);
});

test("a missing token file is a usage error", () => {
  expect(() => readToken({ tokenFile: join(folder, "gone") }, {}, () => {})).toThrow(
    expect.objectContaining({ code: "E_USAGE_TOKEN" }),
  );
});

test("a token file is for its owner's eyes only, also when it was open before", () => {
  const path = join(folder, "made");
  writeFileSync(path, "old", { mode: 0o644 });
  const token = createToken();
  writeTokenFile(path, token);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readFileSync(path, "utf8").trim()).toBe(token);
});

test("made tokens hold 256 bits and differ", () => {
  expect(createToken()).toHaveLength(43);
  expect(createToken()).not.toBe(createToken());
});
