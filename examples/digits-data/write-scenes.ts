/**
 * The scenes of examples 08 and 09 as JSON, for their peers: the first of those that are trained on, and all that are held out.
 *
 *   npx tsx examples/digits-data/write-scenes.ts scenes.json [TRAIN_SCENES]
 */
import { readFileSync, writeFileSync } from "node:fs";
import { readDigits } from "./digits.js";
import type { LabelledImage } from "./labelled-images.js";
import { numHeldOutScenes, sceneSeeds, scenesOf, usualScenes } from "./scenes.js";

const [out = "scenes.json", numTrainScenes = "1000"] = process.argv.slice(2);
const { train, test } = readDigits(readFileSync(new URL("digits.csv.gz", import.meta.url)));

function rows(digits: readonly LabelledImage[], size: number, seed: number) {
  const scenes = scenesOf(digits, { ...usualScenes, size, seed }).toArray();
  return scenes.map(({ image, mask, objects }) => ({
    image: Array.from(image.data, (value) => Math.round(value * 1e4) / 1e4),
    mask: [...mask],
    objects,
  }));
}

const split = {
  side: usualScenes.side,
  train: rows(train, Number(numTrainScenes), sceneSeeds.train),
  heldOut: rows(test, numHeldOutScenes, sceneSeeds.heldOut),
};
writeFileSync(out, JSON.stringify(split));
