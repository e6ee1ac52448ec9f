/** @file Runs TypeScript in a process of its own, to be killed: bundled once, so that it starts as fast as plain JavaScript. */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));

interface Bundler {
  buildSync(options: object): unknown;
}

/** Bundles code that imports from this folder. @returns the path of a module in `dir`. */
export function bundleChild(dir: string, code: string): string {
  const require = createRequire(import.meta.url);
  const { buildSync } = createRequire(require.resolve("tsx"))("esbuild") as Bundler;
  const outfile = join(dir, "child.mjs");
  buildSync({
    stdin: { contents: code, resolveDir: folder, loader: "ts", sourcefile: "child.ts" },
    bundle: true,
    platform: "node",
    format: "esm",
    conditions: ["lockstep-source"],
    outfile,
  });
  writeFileSync(join(dir, "package.json"), '{"type":"module"}');
  return outfile;
}
