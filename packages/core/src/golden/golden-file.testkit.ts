/** @file Reads the files that tools/golden/*.py wrote with PyTorch, for parity tests. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { decodeSafetensors, type SafetensorsFile } from "../serialization/safetensors.js";

export const goldenFolder = fileURLToPath(new URL("../../testdata/golden/", import.meta.url));
export const goldenScripts = fileURLToPath(new URL("../../../../tools/golden/", import.meta.url));

export function readGolden(name: string): SafetensorsFile {
  return decodeSafetensors(readFileSync(`${goldenFolder}${name}.safetensors`), { source: `${name}.safetensors` });
}

export function goldenNames(): string[] {
  return readdirSync(goldenFolder)
    .map((file) => file.replace(/\.safetensors$/, ""))
    .sort();
}

/**
 * Largest |actual - expected| / (absolute + relative * |expected|): at most 1 when every element is within tolerance. NaN where
 * only one of the two is NaN.
 */
export function worstError(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: { readonly absolute: number; readonly relative: number },
): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!];
    if (Object.is(a, e) || a === e) continue;
    const error = Math.abs(a - e) / (tolerance.absolute + tolerance.relative * Math.abs(e));
    if (Number.isNaN(error)) return Number.NaN;
    worst = Math.max(worst, error);
  }
  return worst;
}
