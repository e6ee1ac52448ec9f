import jpeg from "jpeg-js";
import type { Image } from "../image/image.js";
import { ByteReader } from "./byte-reader.js";
import { fileError } from "./file-error.js";
import { assertImageSize, type DecodeImageOptions } from "./image-limit.js";

/**
 * A JPEG image, baseline or progressive, as RGB; a gray one as three equal channels. Missing chroma is repeated, not interpolated, so pixels may
 * differ by a few levels from libjpeg's. The orientation of EXIF is not applied.
 *
 * @numerics The same bytes on every machine: integers, and products of f64 in a fixed order.
 * @throws {FormatError} E_FILE_FORMAT with file and place: no JPEG, a file that is cut off (with the byte) or broken, more pixels than maxPixels.
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
  const frame = findFrame(new ByteReader("decodeJpeg", bytes, options));
  assertImageSize("decodeJpeg", frame, options);
  if (!hasEnd(bytes, frame.scanAt)) {
    throw fileError("decodeJpeg", {
      file,
      place: `byte ${bytes.length}`,
      is: "ends without an end marker (ff d9)",
      must: "there must be one behind the image data. Is the file cut off?",
      fields: { byte: bytes.length },
    });
  }
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
function findFrame(reader: ByteReader): Frame {
  const { view } = reader;
  let size: { width: number; height: number } | undefined;
  reader.at = 2;
  for (;;) {
    const begin = reader.take(4, "the head of a segment");
    if (view.getUint8(begin) !== 0xff) {
      throw reader.error(
        `is 0x${view.getUint8(begin).toString(16).padStart(2, "0")}`,
        "a segment must begin here (ff).",
        {},
        begin,
      );
    }
    const marker = view.getUint8(begin + 1);
    if (marker === 0xff) {
      reader.at = begin + 1; // fill bytes
      continue;
    }
    if (marker === 0xda) {
      if (size !== undefined) return { ...size, scanAt: begin };
      throw reader.error(
        "has a scan before a frame header",
        "the header (ff c0, ff c1 or ff c2) must come first.",
        {},
        begin,
      );
    }
    const length = view.getUint16(begin + 2);
    const name = `the segment ff ${marker.toString(16).padStart(2, "0")}`;
    reader.take(Math.max(0, length - 2), name);
    if (marker >= 0xc0 && marker <= 0xc2 && length >= 7) {
      size = { height: view.getUint16(begin + 5), width: view.getUint16(begin + 7) };
    }
  }
}

/** An end marker behind the first scan: those of small pictures in the head do not count. Some programs put padding behind it. */
function hasEnd(bytes: Uint8Array, scanAt: number): boolean {
  for (let at = bytes.length - 2; at >= scanAt; at--) if (bytes[at] === 0xff && bytes[at + 1] === 0xd9) return true;
  return false;
}
