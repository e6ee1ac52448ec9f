import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { cleanEnvironment, root, workspaceMembers } from "../../tools/workspace.mjs";

afterEach(() => {
  vi.unstubAllEnvs();
});

test("a second build does nothing and says nothing", () => {
  const build = () => spawnSync(process.execPath, [join(root, "tools", "build.mjs")], { encoding: "utf8" });
  build(); // up to date after `npm test` built everything, but not where vitest was started by hand
  const { status, stdout, stderr } = build();
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
});

test("children do not inherit what npm injected, but keep the way to the registry", () => {
  vi.stubEnv("npm_config_ignore_scripts", "true");
  vi.stubEnv("npm_config_registry", "https://registry.example");
  vi.stubEnv("NODE_ENV", "production");
  const env = cleanEnvironment();
  expect(env.npm_config_ignore_scripts).toBeUndefined();
  expect(env.npm_config_registry).toBe("https://registry.example");
  expect(env.NODE_ENV).toBeUndefined();
});

test("every room is a member of the workspace", () => {
  expect(workspaceMembers()).toEqual(
    expect.arrayContaining(["apps/cli", "benchmarks", "packages/core", "packages/worker"]),
  );
});

test("every root script is a file that is there and imports nothing that must be installed first", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  for (const command of Object.values(scripts)) {
    const [, path] = /^node (tools\/[\w-]+\.mjs)$/.exec(command) ?? [];
    expect(path, command).toBeDefined();
    const imports = [...readFileSync(join(root, path!), "utf8").matchAll(/^import .* from "([^"]+)";$/gm)].map(
      (match) => match[1]!,
    );
    expect(imports.filter((specifier) => !/^(node:|\.)/.test(specifier))).toEqual([]);
  }
});
