import type { Image } from "../image/image.js";
import { fileError } from "./file-error.js";
import type { DecodeImageOptions } from "./image-limit.js";
import { decodeJpeg } from "./jpeg.js";
import { decodePng } from "./png.js";

/**
 * An image of either kind, told apart by its first bytes, not by its name.
 *
 * @throws {FormatError} E_FILE_FORMAT when it is neither PNG nor JPEG, and as decodePng and decodeJpeg.
 */
export function decodeImage(bytes: Uint8Array, options: DecodeImageOptions = {}): Image {
  if (bytes[0] === 0x89 && bytes[1] === 0x50) return decodePng(bytes, options);
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return decodeJpeg(bytes, options);
  const first = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  throw fileError("decodeImage", {
    file: options.file ?? "",
    place: "byte 0",
    is: bytes.length === 0 ? "is empty" : `begins with ${first}`,
    must: "it must be a PNG (89 50 4e 47) or a JPEG (ff d8).",
    fields: { first },
  });
}
