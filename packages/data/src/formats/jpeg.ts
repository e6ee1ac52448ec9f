import jpeg from "jpeg-js";
import type { Image } from "../image/image.js";
import { fileError } from "./file-error.js";
import { assertImageSize, type DecodeImageOptions } from "./image-limit.js";

/**
 * A JPEG image, baseline or progressive, as RGB; a gray one as three equal channels. Missing chroma is repeated, not interpolated, so pixels may
 * differ by a few levels from libjpeg's. The orientation of EXIF is not applied.
 *
 * @numerics The same bytes on every machine: integers, and products of f64 in a fixed order.
 * @throws {FormatError} E_FILE_FORMAT with file and place: no JPEG, a file that is cut off or broken, more pixels than maxPixels.
 * @source ITU-T T.81 (1992) and JFIF 1.02, read by jpeg-js.
 */
export function decodeJpeg(bytes: Uint8Array, options: DecodeImageOptions = {}): Image {
  const { file = "" } = options;
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) {
    throw fileError("decodeJpeg", {
      file,
      place: "byte 0",
      is: "has no JPEG signature (ff d8)",
      must: "it must be a JPEG file.",
    });
  }
  const frame = findFrame(bytes);
  if (frame === undefined) throw broken(file, "has no frame header and scan");
  assertImageSize("decodeJpeg", frame, options);
  if (!hasEnd(bytes, frame.scanAt)) throw broken(file, "has no end marker (ff d9)");
  try {
    const { width, height, data } = jpeg.decode(bytes, {
      useTArray: true,
      formatAsRGBA: false,
      tolerantDecoding: false,
      maxResolutionInMP: Number.MAX_SAFE_INTEGER, // checked above
      maxMemoryUsageInMB: 4096,
    });
    return { width, height, channels: 3, data };
  } catch (cause) {
    throw broken(file, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function broken(file: string, reason: string, cause?: unknown) {
  return fileError("decodeJpeg", {
    file,
    place: "image data",
    is: `cannot be read (${reason})`,
    must: "it must be a whole JPEG file. Is the file cut off?",
    fields: { reason },
    cause,
  });
}

interface Frame {
  readonly width: number;
  readonly height: number;
  /** Where the first scan begins. */
  readonly scanAt: number;
}

/** Size from the frame header (SOF0, SOF1 or SOF2) and the place of the first scan, walking from segment to segment. */
function findFrame(bytes: Uint8Array): Frame | undefined {
  let size: { width: number; height: number } | undefined;
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at += 1; // fill bytes
      continue;
    }
    if (marker === 0xda) return size === undefined ? undefined : { ...size, scanAt: at };
    if (marker >= 0xc0 && marker <= 0xc2 && at + 9 <= bytes.length) {
      size = { height: bytes[at + 5]! * 256 + bytes[at + 6]!, width: bytes[at + 7]! * 256 + bytes[at + 8]! };
    }
    at += 2 + bytes[at + 2]! * 256 + bytes[at + 3]!;
  }
  return undefined;
}

/** An end marker behind the first scan: those of small pictures in the head do not count. Some programs put padding behind it. */
function hasEnd(bytes: Uint8Array, scanAt: number): boolean {
  for (let at = bytes.length - 2; at >= scanAt; at--) if (bytes[at] === 0xff && bytes[at + 1] === 0xd9) return true;
  return false;
}
