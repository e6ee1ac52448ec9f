/** @file The files of a job as `data` sees them: names and bytes, wherever they came from. */
import { JobError } from "../errors.js";

export interface JobFiles {
  /** The one file under this name, as UTF-8 text. */
  text(name: string): string;
  /** The one file under this name. */
  bytes(name: string): Uint8Array;
  /** All files under this name, sorted by path; a folder has several. */
  list(name: string): readonly JobFile[];
}

export interface JobFile {
  /** Path below the folder, or the file's name; "/" separates. */
  readonly path: string;
  text(): string;
  bytes(): Uint8Array;
}

/** One file to read, by the logical name the job gave it. */
export interface JobFileSource {
  readonly name: string;
  readonly path: string;
  readonly read: () => Uint8Array;
}

/** @throws {JobError} E_JOB_FILE from the accessors when a name is unknown, or is a folder where one file is asked for. */
export function createJobFiles(sources: readonly JobFileSource[]): JobFiles {
  const byName = new Map<string, JobFile[]>();
  for (const source of sources) {
    const group = byName.get(source.name) ?? [];
    byName.set(source.name, group);
    group.push({ path: source.path, bytes: source.read, text: () => new TextDecoder().decode(source.read()) });
  }
  for (const group of byName.values()) group.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const list = (name: string): readonly JobFile[] => {
    const found = byName.get(name);
    if (found === undefined) {
      const known = [...byName.keys()].map((key) => `"${key}"`).join(", ") || "none";
      throw new JobError(
        `files: "${name}" is not a file of this job; its files are: ${known}. Add it to the job's files().`,
        { name, known: [...byName.keys()] },
        "E_JOB_FILE",
      );
    }
    return found;
  };
  const single = (name: string): JobFile => {
    const found = list(name);
    if (found.length !== 1) {
      throw new JobError(
        `files: "${name}" is a folder with ${found.length} files; text() and bytes() take one file. Use list("${name}").`,
        { name, numFiles: found.length },
        "E_JOB_FILE",
      );
    }
    return found[0]!;
  };
  return { list, text: (name) => single(name).text(), bytes: (name) => single(name).bytes() };
}
