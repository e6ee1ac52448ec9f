import { fileError } from "./file-error.js";

/** Bytes as UTF-8, without a byte order mark; text as it is. @throws {FormatError} E_FILE_FORMAT with the first byte that is no UTF-8. */
export function textOf(where: string, source: Uint8Array | string, file: string): string {
  if (typeof source === "string") return source;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(source);
  } catch (cause) {
    const byte = firstBadByte(source);
    throw fileError(where, {
      file,
      place: `byte ${byte}`,
      is: `is 0x${(source[byte] ?? 0).toString(16).padStart(2, "0")}, which is no UTF-8 there`,
      must: "the text must be UTF-8. Convert the file.",
      fields: { byte },
      cause,
    });
  }
}

/** Character by character, each decoded alone. */
function firstBadByte(bytes: Uint8Array): number {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let byte = 0;
  while (byte < bytes.length) {
    const lead = bytes[byte]!;
    const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    try {
      decoder.decode(bytes.subarray(byte, byte + length));
    } catch {
      break;
    }
    byte += length;
  }
  return byte;
}
