/** @file The golden files and what their metadata says of them. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../workspace.mjs";

const folder = join(root, "packages", "core", "testdata", "golden");
const scripts = join(root, "tools", "golden");

/** `{ name, torch, seed, isCurrent }` of each: current means written by the script as it is now. */
export function goldenFiles() {
  return readdirSync(folder).map((file) => {
    const bytes = readFileSync(join(folder, file));
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + Number(bytes.readBigUInt64LE(0))));
    const { script, scriptSha256, torch, seed } = header.__metadata__;
    const hash = createHash("sha256");
    for (const name of ["_golden.py", script]) hash.update(readFileSync(join(scripts, name)));
    return { name: file.replace(/\.safetensors$/, ""), torch, seed, isCurrent: hash.digest("hex") === scriptSha256 };
  });
}
