import { FormatError } from "@lockstep/core";

/** Where in a file something is wrong, and how. */
export interface FileFault {
  /** The file's name, for the message; "" when the caller gave none. */
  readonly file: string;
  /** "row 3 (line 5)", "byte 44", "header". */
  readonly place: string;
  /** What is there. */
  readonly is: string;
  /** What must be, and what to do. */
  readonly must: string;
  /** The values, by name. */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** What every decoder takes. */
export interface DecodeOptions {
  /** Name of the file, for messages. */
  readonly file?: string;
}

/** `where: FILE, PLACE: what is; what must be.` as FormatError E_FILE_FORMAT. */
export function fileError(where: string, { file, place, is, must, fields, cause }: FileFault): FormatError {
  const name = file === "" ? "the file" : file;
  const error = new FormatError(
    `${where}: ${name}, ${place}: ${is}; ${must}`,
    { file, place, ...fields },
    "E_FILE_FORMAT",
  );
  if (cause !== undefined) error.cause = cause;
  return error;
}
