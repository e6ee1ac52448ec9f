import { createHash } from "node:crypto";
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

const sha256 = (data: Uint8Array | Uint16Array) => createHash("sha256").update(data).digest("hex").slice(0, 16);

describe("decodePng", () => {
  test.each(named("png/"))("%s has the pixels that Pillow reads", (_name, image) => {
    const { width, height, channels, data } = decodePng(bytesOf(image.file));
    expect([height, width, channels]).toEqual(image.shape);
    expect(Array.from(data)).toEqual(pixelsOf(image));
  });

  const file = bytesOf(cases["png/rgb"]!.file);
  test("answers E_FILE_FORMAT wherever the file is cut or a byte of its data differs", () => {
    for (let cut = 0; cut < file.length - 12; cut += 5) {
      expect(() => decodePng(file.subarray(0, cut))).toThrow(expect.objectContaining({ code: "E_FILE_FORMAT" }));
    }
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
        "decodePng: a.png, image data: cannot be read (Offset is outside the bounds of the DataView); it must be a whole PNG file with right check sums. Is the file cut off?",
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
  test("answers E_FILE_FORMAT wherever the file is cut", () => {
    for (let cut = 0; cut < file.length - 2; cut += 3) {
      expect(() => decodeJpeg(file.subarray(0, cut))).toThrow(expect.objectContaining({ code: "E_FILE_FORMAT" }));
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
      expect.objectContaining({ fields: expect.objectContaining({ reason: "has no end marker (ff d9)" }) }),
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
