import { type DecodedPng, decode, hasPngSignature } from "fast-png";
import type { Image } from "../image/image.js";
import { ByteReader } from "./byte-reader.js";
import { fileError } from "./file-error.js";
import { assertImageSize, type DecodeImageOptions } from "./image-limit.js";

const signatureLength = 8;
/** Of a chunk, beside its data: length, type, check sum. */
const chunkFrame = 12;
const headerBytes = 13;

/**
 * A PNG image: gray, RGB or a palette, with or without alpha, of 1 to 16 bits; interlaced from 8 bits on. A palette becomes RGB (RGBA where it has
 * transparent colours), gray of 1, 2 or 4 bits becomes 8 bits. Gamma and colour profiles are not applied.
 *
 * @numerics The same bytes on every machine. All check sums are verified.
 * @throws {FormatError} E_FILE_FORMAT with file and place: no PNG signature, a file that is cut off (with the byte), a check sum that differs, fewer rows
 *   than the header says, an interlaced file of fewer than 8 bits, more pixels than maxPixels.
 * @source W3C 2003, "Portable Network Graphics (PNG) Specification (Second Edition)", read by fast-png.
 */
export function decodePng(bytes: Uint8Array, options: DecodeImageOptions = {}): Image {
  const { file = "" } = options;
  if (bytes.length < signatureLength || !hasPngSignature(bytes.subarray(0, signatureLength))) {
    throw fileError("decodePng", { file, place: "byte 0", is: "has no PNG signature", must: "it must be a PNG file." });
  }
  const reader = new ByteReader("decodePng", bytes, options);
  assertChunks(reader);
  const { view } = reader;
  assertImageSize("decodePng", { width: view.getUint32(16), height: view.getUint32(20) }, options);
  const [depth, isInterlaced] = [view.getUint8(24), view.getUint8(28) !== 0];
  if (isInterlaced && depth < 8) {
    const must = "an interlaced file must have at least 8. Save it without interlacing.";
    throw reader.error(`has ${depth} bits a sample and is interlaced`, must, { depth }, 24);
  }
  let png: DecodedPng;
  try {
    png = decode(bytes, { checkCrc: true });
  } catch (cause) {
    throw broken(file, cause instanceof Error ? cause.message : String(cause), cause);
  }
  return imageOf(png, file);
}

/** Every chunk is there from its first byte to its last, "IHDR" first and "IEND" last; fast-png only says that it ran out of bytes. */
function assertChunks(reader: ByteReader): void {
  reader.at = signatureLength;
  for (let name = ""; name !== "IEND"; ) {
    const begin = reader.at;
    const length = reader.view.getUint32(reader.take(4, "the length of a chunk"));
    const isFirst = name === "";
    name = reader.text(4, "the name of a chunk");
    if (isFirst && (name !== "IHDR" || length !== headerBytes)) {
      throw reader.error(
        `begins with chunk ${JSON.stringify(name)} of ${length} bytes`,
        `the first must be "IHDR" of ${headerBytes}.`,
        { chunk: name, length },
        begin,
      );
    }
    reader.take(length + chunkFrame - 8, `chunk ${JSON.stringify(name)} and its check sum`);
  }
}

function broken(file: string, reason: string, cause?: unknown) {
  return fileError("decodePng", {
    file,
    place: "image data",
    is: `cannot be read (${reason})`,
    must: "it must be a whole PNG file with right check sums. Is the file cut off?",
    fields: { reason },
    cause,
  });
}

function imageOf(png: DecodedPng, file: string): Image {
  const { width, height, depth, palette } = png;
  if (palette !== undefined) return paletteImage(png, palette, file);
  if (depth < 8) {
    const largest = (1 << depth) - 1;
    return { width, height, channels: 1, data: unpack(png).map((value) => value * (255 / largest)) };
  }
  const data = png.data instanceof Uint16Array ? png.data : Uint8Array.from(png.data);
  return { width, height, channels: png.channels, data };
}

function paletteImage(png: DecodedPng, palette: readonly (readonly number[])[], file: string): Image {
  const { width, height } = png;
  const channels = palette.some((color) => color.length === 4) ? 4 : 3;
  const data = new Uint8Array(width * height * channels);
  for (const [i, index] of unpack(png).entries()) {
    const color = palette[index];
    if (color === undefined) throw broken(file, `color ${index} of a palette of ${palette.length}`);
    data.set(color, i * channels);
  }
  return { width, height, channels, data };
}

/** Pixels of fewer than 8 bits lie several to a byte, the first in the highest bits; each row begins a byte. */
function unpack({ width, height, depth, data }: DecodedPng): Uint8Array {
  if (depth === 8) return Uint8Array.from(data);
  const perByte = 8 / depth;
  const rowBytes = Math.ceil(width / perByte);
  const mask = (1 << depth) - 1;
  const out = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const byte = data[y * rowBytes + Math.floor(x / perByte)]!;
      out[y * width + x] = (byte >> (8 - depth * ((x % perByte) + 1))) & mask;
    }
  }
  return out;
}
