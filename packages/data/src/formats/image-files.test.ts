import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import { encode } from "fast-png";
import { describe, expect, test } from "vitest";
import { bytesOf, readGolden } from "../golden.testkit.js";
import { decodeImage, decodeJpeg, decodePng } from "../index.js";

interface ImageCase {
  readonly file: string;
  readonly shape: readonly [number, number, number];
  readonly pixels: string;
}
const { metadata: _, ...cases } = readGolden<Record<string, ImageCase>>("image_files");
const named = (kind: string) =>
  Object.entries(cases).filter(([name]) => name.startsWith(kind)) as unknown as [string, ImageCase][];

/** Pixels as Pillow reads them. */
function pixelsOf({ pixels, shape }: ImageCase): number[] {
  const bytes = bytesOf(pixels);
  const isWide = bytes.length === 2 * shape[0] * shape[1] * shape[2];
  return Array.from(isWide ? new Uint16Array(bytes.slice().buffer) : bytes);
}

interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly depth: number;
  readonly values: readonly number[];
}

/** A PNG in the seven passes of Adam7, its rows not filtered. @source W3C 2003, PNG, section 8.2 */
function interlacedPng({ width, height, channels, depth, values }: Pixels): Uint8Array {
  const passes = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
  ] as const;
  const rows: number[] = [];
  for (const [left, top, stepX, stepY] of passes) {
    for (let y = top; y < height && left < width; y += stepY) {
      let bits = "";
      for (let x = left; x < width; x += stepX) {
        for (let c = 0; c < channels; c++) {
          bits += values[(y * width + x) * channels + c]!.toString(2).padStart(depth, "0");
        }
      }
      rows.push(0, ...(bits.match(/.{1,8}/g) ?? []).map((byte) => Number.parseInt(byte.padEnd(8, "0"), 2)));
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, channels === 3 ? 2 : 0, 0, 0, 1], 8);
  const chunk = (name: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(checkSum(body), 4);
    return [...frame.subarray(0, 4), ...body, ...frame.subarray(4)];
  };
  const data = deflateSync(Uint8Array.from(rows));
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  return Uint8Array.from([
    ...signature,
    ...chunk("IHDR", header),
    ...chunk("IDAT", data),
    ...chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** CRC-32, as chunks carry it. */
function checkSum(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

const sha256 = (data: Uint8Array | Uint16Array) => createHash("sha256").update(data).digest("hex").slice(0, 16);

describe("decodePng", () => {
  test.each(named("png/"))("%s has the pixels that Pillow reads", (_name, image) => {
    const { width, height, channels, data } = decodePng(bytesOf(image.file));
    expect([height, width, channels]).toEqual(image.shape);
    expect(Array.from(data)).toEqual(pixelsOf(image));
  });

  const file = bytesOf(cases["png/rgb"]!.file);
  test("says the byte wherever the file is cut", () => {
    for (let cut = 0; cut < file.length; cut++) {
      const message = expect.stringMatching(/^decodePng: a.png, byte \d+: /);
      expect(() => decodePng(file.subarray(0, cut), { file: "a.png" })).toThrow(
        expect.objectContaining({ code: "E_FILE_FORMAT", message }),
      );
    }
  });

  test.each([
    { depth: 8, channels: 3 },
    { depth: 8, channels: 1 },
    { depth: 16, channels: 1 },
  ])("reads interlaced files of $channels x $depth bits", ({ depth, channels }) => {
    const [width, height] = [11, 7];
    const largest = depth === 16 ? 65535 : 255;
    const values = Array.from({ length: width * height * channels }, (_, i) => (i * 2654435) % (largest + 1));
    const image = decodePng(interlacedPng({ width, height, channels, depth, values }));
    expect([image.width, image.height, image.channels]).toEqual([width, height, channels]);
    expect(Array.from(image.data)).toEqual(values);
  });

  test("answers E_FILE_FORMAT wherever a byte of its data differs", () => {
    for (let at = 0; at < file.length; at += 11) {
      const changed = file.slice();
      changed[at]! ^= 0x10;
      expect(() => decodePng(changed)).toThrow(expect.objectContaining({ code: "E_FILE_FORMAT" }));
    }
  });

  test("refuses data of fewer rows than the header says", () => {
    const rows = encode({ width: 3, height: 2, channels: 1, data: new Uint8Array(6) });
    const more = encode({ width: 3, height: 9, channels: 1, data: new Uint8Array(27) });
    const mixed = Uint8Array.from([...more.subarray(0, 33), ...rows.subarray(33)]);
    expect(() => decodePng(mixed, { file: "short.png" })).toThrow(
      expect.objectContaining({ code: "E_FILE_FORMAT", message: expect.stringContaining("short.png, image data") }),
    );
  });

  test.each([
    {
      make: () => decodePng(file.subarray(0, 40), { file: "a.png" }),
      message:
        "decodePng: a.png, byte 37: ends after 40 bytes; the name of a chunk must have 4 bytes here, 3 are left. Is the file cut off?",
    },
    {
      make: () => decodePng(file, { file: "a.png", maxPixels: 100 }),
      message:
        "decodePng: a.png, header: is 27 x 19 pixels; it must be at least 1 x 1 and at most 100 pixels (maxPixels).",
    },
    {
      make: () => decodePng(Uint8Array.of(1, 2), { file: "a.png" }),
      message: "decodePng: a.png, byte 0: has no PNG signature; it must be a PNG file.",
    },
    {
      make: () => decodePng(Uint8Array.from([...file.subarray(0, 8), ...file.subarray(33)]), { file: "a.png" }),
      message: 'decodePng: a.png, byte 8: begins with chunk "IDAT" of 1569 bytes; the first must be "IHDR" of 13.',
    },
    {
      make: () => decodePng(interlacedPng({ width: 9, height: 1, channels: 1, depth: 2, values: Array(9).fill(1) })),
      message:
        "decodePng: the file, byte 24: has 2 bits a sample and is interlaced; an interlaced file must have at least 8. Save it without interlacing.",
    },
    {
      make: () => decodeImage(new TextEncoder().encode("GIF89a"), { file: "a.gif" }),
      message: "decodeImage: a.gif, byte 0: begins with 47 49 46 38; it must be a PNG (89 50 4e 47) or a JPEG (ff d8).",
    },
  ])("says: $message", ({ make, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "FormatError", code: "E_FILE_FORMAT", message }));
  });
});

describe("decodeJpeg", () => {
  // Without missing chroma only the rounding of the inverse transform differs from libjpeg's; with it the interpolation does.
  test.each(named("jpeg/"))("%s is near to what Pillow reads", (name, image) => {
    const { width, height, channels, data } = decodeImage(bytesOf(image.file));
    expect([height, width, channels]).toEqual(image.shape);
    const expected = pixelsOf(image);
    const differences = expected.map((value, i) => Math.abs(value - data[i]!));
    expect(Math.max(...differences)).toBeLessThanOrEqual(name.endsWith("420") ? 40 : 2);
    expect(differences.reduce((sum, n) => sum + n, 0) / differences.length).toBeLessThan(
      name.endsWith("420") ? 5 : 0.6,
    );
  });

  test("gives committed bytes", () => {
    const hashes = named("jpeg/").map(([name, { file }]) => [name, sha256(decodeJpeg(bytesOf(file)).data)]);
    expect(Object.fromEntries(hashes)).toMatchInlineSnapshot(`
      {
        "jpeg/gray": "f042a36bcd706743",
        "jpeg/progressive": "fbd7818f525bebee",
        "jpeg/rgb420": "6cbb0ebfc661b9a8",
        "jpeg/rgb444": "fbd7818f525bebee",
      }
    `);
  });

  const file = bytesOf(cases["jpeg/rgb444"]!.file);
  test.each(named("jpeg/"))("%s: says the byte wherever the file is cut", (_name, image) => {
    const whole = bytesOf(image.file);
    for (let cut = 0; cut < whole.length; cut++) {
      const message = expect.stringMatching(/^decodeJpeg: a.jpg, byte \d+: /);
      expect(() => decodeJpeg(whole.subarray(0, cut), { file: "a.jpg" })).toThrow(
        expect.objectContaining({ code: "E_FILE_FORMAT", message }),
      );
    }
  });
  test("answers E_FILE_FORMAT where an end marker stands before or inside of the first scan, also behind a small picture", () => {
    const scanAt = file.findIndex((byte, at) => byte === 0xff && file[at + 1] === 0xda);
    for (let cut = 4; cut < file.length - 6; cut += 3) {
      const early = Uint8Array.from([...file.subarray(0, cut), 0xff, 0xd9]);
      expect(() => decodeJpeg(early), `cut at ${cut}`).toThrow(expect.objectContaining({ code: "E_FILE_FORMAT" }));
    }
    const thumbnail = [0xff, 0xe1, 0, 6, 1, 2, 0xff, 0xd9];
    const cutOff = Uint8Array.from([...file.subarray(0, 2), ...thumbnail, ...file.subarray(2, scanAt + 60)]);
    expect(() => decodeJpeg(cutOff)).toThrow(
      expect.objectContaining({ message: expect.stringContaining("ends without an end marker (ff d9)") }),
    );
  });
  test("says what is wrong with a file whose data end early", () => {
    const early = Uint8Array.from([...file.subarray(0, file.length - 120), 0xff, 0xd9]);
    expect(() => decodeJpeg(early, { file: "a.jpg" })).toThrow(
      expect.objectContaining({
        code: "E_FILE_FORMAT",
        message: expect.stringMatching(/^decodeJpeg: a.jpg, image data: cannot be read/),
      }),
    );
    expect(() => decodeJpeg(file, { maxPixels: 4 })).toThrow(
      expect.objectContaining({ message: expect.stringContaining("the file, header: is 27 x 19 pixels") }),
    );
  });
});
