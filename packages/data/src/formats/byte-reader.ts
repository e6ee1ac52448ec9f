import { type DecodeOptions, fileError } from "./file-error.js";

/** Reads numbers of a binary file in order, and says where it ended too early. */
export class ByteReader {
  readonly view: DataView;
  readonly #where: string;
  readonly #file: string;
  at = 0;

  constructor(where: string, bytes: Uint8Array, { file = "" }: DecodeOptions) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#where = where;
    this.#file = file;
  }

  get numBytesLeft(): number {
    return this.view.byteLength - this.at;
  }

  /** Place of `count` bytes, which are taken. @throws {FormatError} E_FILE_FORMAT when the file ends before. */
  take(count: number, what: string): number {
    if (count > this.numBytesLeft) {
      throw this.error(
        `ends after ${this.view.byteLength} bytes`,
        `${what} must have ${count} bytes here, ${this.numBytesLeft} are left. Is the file cut off?`,
        {
          numBytes: this.view.byteLength,
          needed: count,
        },
      );
    }
    const begin = this.at;
    this.at += count;
    return begin;
  }

  text(count: number, what: string): string {
    const begin = this.take(count, what);
    return String.fromCharCode(...new Uint8Array(this.view.buffer, this.view.byteOffset + begin, count));
  }

  error(is: string, must: string, fields: Readonly<Record<string, unknown>> = {}, at = this.at) {
    return fileError(this.#where, { file: this.#file, place: `byte ${at}`, is, must, fields: { byte: at, ...fields } });
  }
}
