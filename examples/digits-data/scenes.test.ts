import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readDigits } from "./digits.js";
import type { LabelledImage } from "./labelled-images.js";
import { composeScene, leastDistance, type SceneObject, scenesOf, usualScenes } from "./scenes.js";

/** 8 x 8 of full ink: resized to any size it stays full. */
const block: LabelledImage = {
  image: { channels: 1, height: 8, width: 8, data: new Float32Array(64).fill(1) },
  label: 6,
};
const key = (index: number) => ({ seed: 5, epoch: 0, index });
const upTo = (size: number) => Array.from({ length: size }, (_, i) => i);

describe("a scene of full blocks, without noise", () => {
  const scenes = upTo(40).map((index) => composeScene([block], key(index), { ...usualScenes, noise: 0 }));

  test("has the mask of its boxes, and ink of one strength in each", () => {
    for (const { image, mask, objects } of scenes) {
      const drawn = new Int32Array(mask.length);
      for (const { box, label } of objects) {
        expect(label).toBe(6);
        const [x1, y1, x2, y2] = box;
        expect([8, 9, 10, 11, 12]).toContain(x2 - x1);
        expect(y2 - y1).toBe(x2 - x1);
        const strengths = new Set<number>();
        for (let y = y1; y < y2; y++) {
          for (let x = x1; x < x2; x++) {
            drawn[y * usualScenes.side + x] = 7;
            strengths.add(image.data[y * usualScenes.side + x]!);
          }
        }
        expect(strengths.size).toBe(1);
        expect(Math.min(...strengths)).toBeGreaterThanOrEqual(Math.fround(0.6));
        expect(Math.max(...strengths)).toBeLessThanOrEqual(1);
      }
      expect(mask).toEqual(drawn);
      expect(mask.every((value, i) => value > 0 === image.data[i]! > 0)).toBe(true);
    }
  });

  test("has one to four, of which no two overlap", () => {
    expect([...new Set(scenes.map(({ objects }) => objects.length))].sort()).toEqual([1, 2, 3, 4]);
    const areas = scenes.map(({ objects }) =>
      objects.reduce((sum, { box: [x1, y1, x2, y2] }) => sum + (x2 - x1) * (y2 - y1), 0),
    );
    expect(scenes.map(({ mask }) => mask.filter((value) => value > 0).length)).toEqual(areas);
  });
});

describe("scenes of the digits", () => {
  const { train } = readDigits(readFileSync(new URL("digits.csv.gz", import.meta.url)));
  const options = { ...usualScenes, size: 60, seed: 1 };

  test("are functions of seed, epoch and index", () => {
    const scenes = scenesOf(train, options);
    const others = scenesOf(train, { ...options, seed: 2 });
    expect(scenes.get({ epoch: 3, index: 7 })).toEqual(scenesOf(train, options).get({ epoch: 3, index: 7 }));
    const firsts = [scenes.at(7), scenes.get({ epoch: 3, index: 7 }), scenes.at(8), others.at(7)];
    expect(new Set(firsts.map(({ image }) => image.data[0])).size).toBe(4);
  });

  test("have boxes that reach to the outermost pixels of the mask, and middles that are apart", () => {
    const middle = ({ box }: SceneObject, axis: 0 | 1) => (box[axis] + box[axis + 2]!) / 2;
    for (const { mask, objects } of scenesOf(train, options).toArray()) {
      for (const [i, object] of objects.entries()) {
        const [x1, y1, x2, y2] = object.box;
        const own = [...mask.keys()]
          .filter((place) => mask[place] === object.label + 1)
          .map((place) => [place % options.side, Math.floor(place / options.side)] as const)
          .filter(([x, y]) => x >= x1 && x < x2 && y >= y1 && y < y2);
        const [xs, ys] = [own.map(([x]) => x), own.map(([, y]) => y)];
        expect([Math.min(...xs), Math.min(...ys), Math.max(...xs) + 1, Math.max(...ys) + 1]).toEqual(object.box);
        for (const other of objects.slice(0, i)) {
          const apart = ([0, 1] as const).map((axis) => Math.abs(middle(object, axis) - middle(other, axis)));
          expect(Math.max(...apart)).toBeGreaterThanOrEqual(leastDistance);
        }
      }
    }
  });

  test("have noise of the standard deviation that is asked for", () => {
    const [noisy, clean] = [0.1, 0].map((noise) => scenesOf(train, { ...options, noise }).toArray());
    const noises = noisy!.flatMap(({ image }, i) =>
      [...image.data].map((value, pixel) => value - clean![i]!.image.data[pixel]!),
    );
    const variance = noises.reduce((sum, noise) => sum + noise * noise, 0) / noises.length;
    expect(Math.abs(Math.sqrt(variance) - 0.1)).toBeLessThan(0.001);
  });
});
