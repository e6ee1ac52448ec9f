#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const main = new URL("../dist/main.js", import.meta.url);
if (existsSync(fileURLToPath(main))) {
  await import(main.href);
} else {
  console.error("lockstep: dist/main.js is missing, so this copy was never built. Run `npm run build` in its root.");
  process.exitCode = 2;
}
