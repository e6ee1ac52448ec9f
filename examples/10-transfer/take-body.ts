/**
 * Keeps the body of a network of 07-digits, without its head, as digits-body.safetensors:
 *
 *   npx lockstep run examples/07-digits --out runs/digits
 *   npm run body -- RUN/checkpoints/step-000400/model.safetensors
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { decodeSafetensors, encodeSafetensors } from "@lockstep/core";
import { bodyFile } from "./transfer-net.js";

/** The tensors whose names begin with "body.", of the bytes of a safetensors file. */
export function takeBody(model: Uint8Array): Uint8Array {
  const kept = [...decodeSafetensors(model).tensors].filter(([name]) => name.startsWith("body."));
  return encodeSafetensors(kept, { metadata: { format: "lockstep", job: "digits" } });
}

function main([file]: readonly string[]): void {
  if (file === undefined)
    throw new Error("take-body: FILE is missing; it must be the model.safetensors of a run of 07-digits.");
  const out = fileURLToPath(new URL(bodyFile, import.meta.url));
  const body = takeBody(readFileSync(file));
  writeFileSync(out, body);
  console.log(`${body.byteLength} bytes are in ${out}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
