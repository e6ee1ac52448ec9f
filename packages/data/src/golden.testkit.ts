/** @file Reads the files that tools/golden/*.py wrote for this room. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const goldenFolder = fileURLToPath(new URL("../testdata/golden/", import.meta.url));
export const goldenScripts = fileURLToPath(new URL("../../../tools/golden/", import.meta.url));

export interface GoldenMetadata {
  readonly numpy: string;
  readonly sklearn: string;
  readonly script: string;
  readonly scriptSha256: string;
}

/** Cases by name, beside the metadata of the script. */
export function readGolden<Cases>(name: string): Cases & { readonly metadata: GoldenMetadata } {
  return JSON.parse(readFileSync(`${goldenFolder}${name}.json`, "utf8")) as Cases & { metadata: GoldenMetadata };
}

export function goldenNames(): string[] {
  return readdirSync(goldenFolder)
    .map((file) => file.replace(/\.json$/, ""))
    .sort();
}

/** A file of packages/data/testdata. */
export function readFixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(`${goldenFolder}../${name}`));
}

/** Bytes of base64. */
export const bytesOf = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, "base64"));
