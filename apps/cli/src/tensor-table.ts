/** @file What tensors a safetensors file holds, read from its header alone. */
import { closeSync, openSync, readSync } from "node:fs";
import { UsageError } from "./exit-status.js";

export interface TensorRow {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly numElements: number;
}

const maxHeaderBytes = 100_000_000;

/** @throws {UsageError} E_FORMAT_HEADER when the file is no safetensors file. */
export function readTensorTable(path: string): TensorRow[] {
  const header = readHeader(path);
  return Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => {
      const { dtype, shape } = entry as { dtype: string; shape: number[] };
      return { name, dtype, shape, numElements: shape.reduce((product, dim) => product * dim, 1) };
    });
}

function readHeader(path: string): Record<string, unknown> {
  const file = openSync(path, "r");
  try {
    const length = Buffer.alloc(8);
    readSync(file, length, 0, 8, 0);
    const bytes = Number(length.readBigUInt64LE());
    if (bytes < 2 || bytes > maxHeaderBytes) throw new Error(`its header says it has ${bytes} bytes`);
    const text = Buffer.alloc(bytes);
    readSync(file, text, 0, bytes, 8);
    return JSON.parse(text.toString("utf8")) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(
      `inspect: ${path} is no safetensors file (${(error as Error).message}); it must begin with a header of at most ${maxHeaderBytes} bytes. Check the file.`,
      { path },
      "E_FORMAT_HEADER",
    );
  } finally {
    closeSync(file);
  }
}
