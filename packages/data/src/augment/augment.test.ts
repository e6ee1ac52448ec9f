import { createHash } from "node:crypto";
import { microBatchScope } from "@lockstep/core";
import { describe, expect, test } from "vitest";
import {
  type Augmentation,
  chain,
  colorJitter,
  cutout,
  type FloatImage,
  flipImage,
  gaussianNoise,
  microBatchDraws,
  randomAffine,
  randomCrop,
  randomGrayscale,
  randomHorizontalFlip,
  randomResizedCrop,
  randomRotation,
  randomVerticalFlip,
  replaceSynonyms,
  sampleDraws,
  sometimes,
  tokenDropout,
  tokenSwap,
} from "../index.js";

const drawsOf = (index: number) => sampleDraws({ seed: 1, epoch: 0, index });
const image: FloatImage = {
  channels: 3,
  height: 8,
  width: 6,
  data: Float32Array.from({ length: 144 }, (_, i) => ((i * 37) % 101) / 101),
};
const many = (count: number) => Array.from({ length: count }, (_, i) => i);
const hashOf = (data: Float32Array) =>
  createHash("sha256")
    .update(new Uint8Array(data.buffer.slice(0)))
    .digest("hex")
    .slice(0, 16);

const augmentations: Record<string, Augmentation<FloatImage>> = {
  randomHorizontalFlip: randomHorizontalFlip(),
  randomVerticalFlip: randomVerticalFlip(),
  randomRotation: randomRotation(25),
  randomAffine: randomAffine({ degrees: 10, translate: [0.1, 0.2], scale: [0.8, 1.2], shear: 8, fill: 0.5 }),
  randomCrop: randomCrop({ height: 8, width: 6, padding: 2 }),
  randomResizedCrop: randomResizedCrop({ height: 5, width: 5 }),
  colorJitter: colorJitter({ brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 }),
  randomGrayscale: randomGrayscale(0.5),
  cutout: cutout({ size: 3 }),
  gaussianNoise: gaussianNoise({ std: 0.1 }),
};

describe("augmentations of images", () => {
  test.each(Object.entries(augmentations))(
    "%s gives the same bits for the same draws, and does not write to its input",
    (_, augment) => {
      const before = image.data.slice();
      const results = many(12).map((index) => hashOf(augment(image, drawsOf(index)).data));
      expect(
        many(12)
          .reverse()
          .map((index) => hashOf(augment(image, drawsOf(index)).data))
          .reverse(),
      ).toEqual(results);
      expect(new Set(results).size).toBeGreaterThan(1);
      expect(image.data).toEqual(before);
    },
  );

  test("L1: give the same bits in a micro-batch, whoever computes it", () => {
    const all = chain(...Object.values(augmentations).filter((augment) => augment !== augmentations.randomResizedCrop));
    const inScope = (m: number) =>
      microBatchScope({ seed: 9, step: 2, m }, () => hashOf(all(image, microBatchDraws()).data));
    const first = inScope(0);
    inScope(1);
    expect(inScope(0)).toBe(first);
  });

  test("give committed bits", () => {
    const hashes = Object.entries(augmentations).map(([name, augment]) => [
      name,
      hashOf(augment(image, drawsOf(5)).data),
    ]);
    expect(Object.fromEntries(hashes)).toMatchInlineSnapshot(`
      {
        "colorJitter": "d80f4f233e6367c6",
        "cutout": "65ac924b74c89d7d",
        "gaussianNoise": "59c4907fcda4ba2b",
        "randomAffine": "862648426ef57364",
        "randomCrop": "f4a5fd56bf63e988",
        "randomGrayscale": "d22c388ff512a3f7",
        "randomHorizontalFlip": "d1a340c29d461baf",
        "randomResizedCrop": "a9c32fa4bc338520",
        "randomRotation": "1593d07dc4ce5488",
        "randomVerticalFlip": "a7c1f99fc1827520",
      }
    `);
  });

  test("happen as often as they are told to", () => {
    const mirrored = flipImage(image, "horizontal").data;
    const numMirrored = many(2000).filter(
      (index) => randomHorizontalFlip(0.3)(image, drawsOf(index)).data[0] === mirrored[0],
    );
    expect(numMirrored.length / 2000).toBeCloseTo(0.3, 1);
    const numChanged = many(2000).filter(
      (index) => sometimes(0.8, gaussianNoise({ std: 1 }))(image, drawsOf(index)) !== image,
    );
    expect(numChanged.length / 2000).toBeCloseTo(0.8, 1);
  });

  test("cutout covers one square, cut off at the border", () => {
    const white = { ...image, data: new Float32Array(144).fill(1) };
    for (const index of many(30)) {
      const { data } = cutout({ size: 3 })(white, drawsOf(index));
      const planes = [0, 1, 2].map((c) => Array.from(data.subarray(c * 48, c * 48 + 48)));
      expect(planes[1]).toEqual(planes[0]);
      const dark = planes[0]!.flatMap((value, i) => (value === 0 ? [[Math.floor(i / 6), i % 6] as const] : []));
      const rows = new Set(dark.map(([y]) => y));
      const columns = new Set(dark.map(([, x]) => x));
      expect(dark.length).toBe(rows.size * columns.size);
      expect([Math.max(rows.size, columns.size) <= 3, Math.min(rows.size, columns.size) >= 2]).toEqual([true, true]);
    }
  });

  test("randomCrop without padding of the whole image is the image; noise has its std", () => {
    expect(randomCrop({ height: 8, width: 6 })(image, drawsOf(0)).data).toEqual(image.data);
    const zeros = { channels: 1, height: 100, width: 100, data: new Float32Array(10_000) };
    const { data } = gaussianNoise({ std: 0.5 })(zeros, drawsOf(1));
    expect(Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length)).toBeCloseTo(0.5, 1);
  });

  test.each([
    {
      make: () => randomCrop({ height: 9, width: 6 })(image, drawsOf(0)),
      message:
        "randomCrop: the image is 6 x 8 with a padding of 0; it must be at least 6 x 9. Raise the padding or resize first.",
    },
    { make: () => randomHorizontalFlip(1.5), message: "randomHorizontalFlip: p is 1.5; it must be in [0, 1]." },
    {
      make: () => randomAffine({ degrees: [5, -5] }),
      message: "randomAffine: degrees is [5, -5]; it must ascend.",
    },
    {
      make: () => randomAffine({ degrees: 0, scale: [0, 1] }),
      message: "randomAffine: scale is [0, 1]; it must ascend and be positive.",
    },
    { make: () => colorJitter({ hue: 0.6 }), message: "colorJitter: hue is [-0.5, 0.6]; it must lie in [-0.5, 0.5]." },
    {
      make: () => colorJitter({ contrast: [-1, 1] }),
      message: "colorJitter: contrast is [-1, 1]; it must ascend and not lie below 0.",
    },
    {
      make: () => colorJitter({ hue: [-0.6, 0.1] }),
      message: "colorJitter: hue is [-0.6, 0.1]; it must ascend and not lie below -0.5.",
    },
    {
      make: () => randomCrop({ height: 8, width: 6, padding: 0.5 }),
      message: "randomCrop: padding is 0.5; it must be a whole number of at least 0.",
    },
    { make: () => cutout({ size: 0 }), message: "cutout: size is 0; it must be a whole number of at least 1." },
    { make: () => gaussianNoise({ std: -1 }), message: "gaussianNoise: std is -1; it must not be negative." },
    {
      make: () => replaceSynonyms({ p: 1, synonyms: { big: [] } }),
      message: 'replaceSynonyms: "big" has 0 synonyms; it must have at least one.',
    },
    {
      make: () => tokenSwap({ numSwaps: -1 }),
      message: "tokenSwap: numSwaps is -1; it must be a whole number of at least 0.",
    },
  ])("say: $message", ({ make, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", code: "E_AUGMENTATION", message }));
  });
});

describe("augmentations of texts", () => {
  const words = ["the", "big", "cat", "saw", "a", "big", "dog"];

  test("drop tokens with their probability, and never all", () => {
    const lengths = many(2000).map((index) => tokenDropout<string>({ p: 0.25 })(words, drawsOf(index)).length);
    expect(lengths.reduce((sum, n) => sum + n, 0) / 2000 / 7).toBeCloseTo(0.75, 1);
    expect(tokenDropout<string>({ p: 1 })(words, drawsOf(3)).length).toBe(1);
    expect(tokenDropout<string>({ p: 1 })([], drawsOf(3))).toEqual([]);
    expect(tokenDropout({ p: 1, replacement: 0 })([5, 6], drawsOf(3))).toEqual([0, 0]);
  });

  test("swap tokens and lose none", () => {
    const swapped = many(50).map((index) => tokenSwap<string>({ numSwaps: 2 })(words, drawsOf(index)));
    for (const out of swapped) expect([...out].sort()).toEqual([...words].sort());
    expect(new Set(swapped.map(String)).size).toBeGreaterThan(10);
    expect(tokenSwap<string>()(["one"], drawsOf(0))).toEqual(["one"]);
  });

  test("replace words that have synonyms, evenly among them, and no others", () => {
    const synonyms = { big: ["large", "huge"], toString: ["never"] };
    const outs = many(1000).flatMap((index) => replaceSynonyms({ p: 0.5, synonyms })(words, drawsOf(index))[1]!);
    const shareOf = (word: string) => outs.filter((out) => out === word).length / 1000;
    for (const [word, share] of Object.entries({ big: 0.5, large: 0.25, huge: 0.25 })) {
      expect(Math.abs(shareOf(word) - share)).toBeLessThan(0.05);
    }
    expect(replaceSynonyms({ p: 1, synonyms: {} })(["constructor"], drawsOf(0))).toEqual(["constructor"]);
  });
});
