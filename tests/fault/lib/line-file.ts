import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";

export type Line = Readonly<Record<string, unknown>> & { readonly step: number };

/** A jsonl file that grows, and that a resumed coordinator may write anew. Reads only what is new. */
export class LineFile {
  readonly #path: string;
  #inode = -1;
  #offset = 0;
  #rest = "";
  #lines: Line[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** All whole lines up to now. */
  read(): readonly Line[] {
    if (!existsSync(this.#path)) return this.#lines;
    const file = openSync(this.#path, "r");
    try {
      const { ino, size } = fstatSync(file);
      if (ino !== this.#inode || size < this.#offset) {
        this.#inode = ino;
        this.#offset = 0;
        this.#rest = "";
        this.#lines = [];
      }
      if (size === this.#offset) return this.#lines;
      const bytes = Buffer.alloc(size - this.#offset);
      this.#offset += readSync(file, bytes, 0, bytes.length, this.#offset);
      const parts = (this.#rest + bytes.toString("utf8")).split("\n");
      this.#rest = parts.pop()!;
      this.#lines = [...this.#lines, ...parts.filter((part) => part !== "").map((part) => JSON.parse(part) as Line)];
      return this.#lines;
    } finally {
      closeSync(file);
    }
  }
}

/** All whole lines of a file that nobody writes any more. */
export function readAllLines(path: string): readonly Line[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
}
