import { describe, expect, test } from "vitest";
import { readGolden } from "../golden.testkit.js";
import {
  type AffineArguments,
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  affineImage,
  cropImage,
  type FloatImage,
  flipImage,
  floatImage,
  grayscaleImage,
  normalizeImage,
  resizeImage,
  stackImages,
} from "../index.js";

interface AffineCase {
  readonly arguments: AffineArguments;
  readonly data: number[];
}
const golden = readGolden<{ image: { shape: [number, number, number]; data: number[] } }>("image_transforms");
const numbersOf = (name: string) => (golden as unknown as Record<string, number[]>)[name]!;
const names = (prefix: string) => Object.keys(golden).filter((name) => name.startsWith(prefix));
const [channels, height, width] = golden.image.shape;
const image: FloatImage = { channels, height, width, data: Float32Array.from(golden.image.data) };

/** Equal but for the rounding to f32 and the last bits of f64. */
function expectNear({ data }: FloatImage, expected: readonly number[]) {
  expect(data.length).toBe(expected.length);
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - data[i]!)));
  expect(worst).toBeLessThan(1e-7);
}

describe("images are changed as PyTorch and torchvision change them", () => {
  test.each(names("resize/"))("%s", (name) => {
    const [rows, columns] = name.slice("resize/".length).split("x").map(Number);
    expectNear(resizeImage(image, { height: rows!, width: columns! }), numbersOf(name));
  });
  test.each(names("affine/"))("%s", (name) => {
    const { arguments: args, data } = (golden as unknown as Record<string, AffineCase>)[name]!;
    expectNear(affineImage(image, args), data);
  });
  test("colours", () => {
    expectNear(adjustBrightness(image, 1.4), numbersOf("brightness/1.4"));
    expectNear(adjustContrast(image, 0.6), numbersOf("contrast/0.6"));
    expectNear(adjustSaturation(image, 1.7), numbersOf("saturation/1.7"));
    expectNear(grayscaleImage(image), numbersOf("gray"));
    for (const shift of [0.3, -0.5]) expectNear(adjustHue(image, shift), numbersOf(`hue/${shift}`));
  });
});

describe("an image", () => {
  const small: FloatImage = { channels: 1, height: 2, width: 3, data: Float32Array.of(1, 2, 3, 4, 5, 6) };
  test("becomes planes of numbers in [0, 1]", () => {
    const pixels = { width: 2, height: 1, channels: 3, data: Uint8Array.of(0, 51, 255, 255, 0, 102) };
    expect(floatImage(pixels)).toEqual({
      channels: 3,
      height: 1,
      width: 2,
      data: Float32Array.of(0, 1, 0.2, 0, 1, 0.4),
    });
    expect(Array.from(floatImage({ width: 1, height: 1, channels: 1, data: Uint16Array.of(65535) }).data)).toEqual([1]);
  });
  test("is mirrored and cut, with a fill outside", () => {
    expect(Array.from(flipImage(small, "horizontal").data)).toEqual([3, 2, 1, 6, 5, 4]);
    expect(Array.from(flipImage(small, "vertical").data)).toEqual([4, 5, 6, 1, 2, 3]);
    const cut = cropImage(small, { top: -1, left: 1, height: 2, width: 3, fill: 9 });
    expect(Array.from(cut.data)).toEqual([9, 9, 9, 2, 3, 9]);
    expect(Array.from(cropImage(small, { top: 5, left: 5, height: 1, width: 1 }).data)).toEqual([0]);
  });
  test("is filled outside by affineImage, between fill and border by bilinear weight", () => {
    const moved = affineImage(small, { translate: [0.5, 0], fill: 10 });
    expect(Array.from(moved.data)).toEqual([5.5, 1.5, 2.5, 7, 4.5, 5.5]);
  });
  test("is normalised channel by channel, and stacked", () => {
    const two = { channels: 2, height: 1, width: 1, data: Float32Array.of(3, 8) };
    const normal = normalizeImage(two, { mean: [1, 2], std: [2, 3] });
    expect(Array.from(normal.data)).toEqual([1, 2]);
    const batch = stackImages([normal, two]);
    expect(batch.shape).toEqual([2, 2, 1, 1]);
    expect(batch.toArraySync()).toEqual([
      [[[1]], [[2]]],
      [[[3]], [[8]]],
    ]);
  });

  test.each([
    {
      make: () => adjustHue(small, 0.1),
      code: "E_SHAPE",
      message: "adjustHue: the image has 1 channels; it must have 3 (RGB).",
    },
    {
      make: () => normalizeImage(small, { mean: [0], std: [0] }),
      code: "E_AUGMENTATION",
      message:
        "normalizeImage: mean is [0] and std [0] for 1 channels; there must be one mean and one positive std for each.",
    },
    {
      make: () => resizeImage(small, { height: 0, width: 3 }),
      code: "E_AUGMENTATION",
      message: "resizeImage: height is 0; it must be a whole number of at least 1.",
    },
    {
      make: () => affineImage(small, { scale: 0 }),
      code: "E_AUGMENTATION",
      message: "affineImage: scale is 0; it must be positive.",
    },
    {
      make: () => stackImages([small, image]),
      code: "E_SHAPE",
      message:
        "stackImages: image 1 is [3, 9, 12], but image 0 is [1, 2, 3]; they must be equal. Use resizeImage or randomCrop first.",
    },
  ])("is refused: $message", ({ make, code, message }) => {
    expect(make).toThrow(expect.objectContaining({ code, message }));
  });
});
