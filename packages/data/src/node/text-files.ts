import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ValueError } from "@lockstep/core";

export interface TextFile {
  readonly path: string;
  readonly text: string;
}

/**
 * Text of a file, or of all files of a folder (not its subfolders) in the order of their names by code unit, so that every machine
 * reads them in the same order. A byte order mark at the beginning is dropped.
 *
 * @throws {ValueError} E_FILE when the path cannot be read, a folder has no file with the suffix, or a file is not UTF-8.
 */
export function readTextFiles(path: string, options: { readonly suffix?: string } = {}): TextFile[] {
  const { suffix = "" } = options;
  const paths = listFiles(path, suffix);
  if (paths.length === 0) {
    throw new ValueError(
      `readTextFiles: folder ${path} has no file that ends in ${JSON.stringify(suffix)}; it must have at least one.`,
      { path, suffix },
      "E_FILE",
    );
  }
  return paths.map((file) => ({ path: file, text: readText(file) }));
}

function listFiles(path: string, suffix: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
      .map((entry) => entry.name)
      .sort((a, b) => (a < b ? -1 : 1))
      .map((name) => join(path, name));
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function readText(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): ValueError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ValueError(
    `readTextFiles: ${path} cannot be read as text (${reason}); it must be a file in UTF-8, or a folder of such files.`,
    { path, reason },
    "E_FILE",
  );
}
