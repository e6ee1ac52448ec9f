/**
 * @file Digits as points of a grid: what the network is to answer for a scene, and the boxes that an answer means.
 *
 * A cell is 4 x 4 pixels. Where the middle of a box lies, the heat of the cell is 1, the cell has the digit's label, and four numbers say where in
 * the cell the middle is and how large the box, in cells. Legend: K digits, G cells of a scene's side.
 */
import { type metrics, scalarMath } from "@lockstep/core";
import type { SceneObject } from "@lockstep-examples/digits-data/scenes";

/** Pixels of a cell's side. */
export const cellSide = 4;
export const numDigits = 10;
/** Numbers of a box: how far right and down in its cell, how wide and high. */
export const numBoxNumbers = 4;
/** Label of a cell without a middle: `ignoreIndex` of crossEntropy. */
export const noLabel = -100;

export interface CentreTargets {
  /** [1, G, G]: 1 in the cell of a middle, less around it. */
  readonly heat: Float32Array;
  /** [G, G]: the digit whose middle is there, or `noLabel`. */
  readonly labels: Int32Array;
  /** [4, G, G], 0 where no middle is. */
  readonly boxes: Float32Array;
  /** [1, G, G]: 1 where a middle is. */
  readonly isCentre: Float32Array;
}

/** What a network says of one scene. */
export interface CentreAnswer {
  /** [1, G, G], in 0..1: is a middle here? */
  readonly heat: ArrayLike<number>;
  /** [K, G, G], in 0..1: of which digit? */
  readonly classes: ArrayLike<number>;
  /** [4, G, G] */
  readonly boxes: ArrayLike<number>;
}

/**
 * What the network is to answer for the digits of a scene, whose middles lie in different cells.
 *
 * @source Zhou et al. 2019, Objects as Points, section 3. Deviations: one heat map for all digits, with the digit beside it, as in Redmon et al.
 *   2016 (YOLO); the bell around a middle is as wide and high as the box is (standard deviation a quarter of its side) instead of round.
 */
export function encodeCentres(objects: readonly SceneObject[], side: number): CentreTargets {
  const G = side / cellSide;
  const heat = new Float32Array(G * G);
  const labels = new Int32Array(G * G).fill(noLabel);
  const boxes = new Float32Array(numBoxNumbers * G * G);
  const isCentre = new Float32Array(G * G);
  for (const { box, label } of objects) {
    const [x1, y1, x2, y2] = box.map((pixels) => pixels / cellSide) as [number, number, number, number];
    const [x, y, width, height] = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1];
    const [column, row] = [Math.floor(x), Math.floor(y)];
    for (const place of heat.keys()) {
      const right = ((place % G) - column) / (width / 4);
      const down = (Math.floor(place / G) - row) / (height / 4);
      heat[place] = Math.max(heat[place]!, scalarMath.exp(-(right * right + down * down) / 2));
    }
    const place = row * G + column;
    isCentre[place] = 1;
    labels[place] = label;
    for (const [i, number] of [x - column, y - row, width, height].entries()) boxes[i * G * G + place] = number;
  }
  return { heat, labels, boxes, isCentre };
}

/** Less is no detection. */
const leastScore = 0.02;

/**
 * The boxes of an answer: every cell that is as hot as its eight neighbours, once for each digit that it may be. The score is heat times class.
 *
 * @source Zhou et al. 2019, section 4: local maxima stand in for suppressing boxes that overlap.
 */
export function decodeCentres({ heat, classes, boxes }: CentreAnswer): metrics.BoxPredictions {
  const numCells = heat.length;
  const G = Math.sqrt(numCells);
  const found = { boxes: [] as number[][], labels: [] as number[], scores: [] as number[] };
  for (let place = 0; place < numCells; place++) {
    const own = heat[place]!;
    if (own < leastScore || own < hottestAround(heat, place, G)) continue;
    const [right, down, width, height] = [0, 1, 2, 3].map((i) => boxes[i * numCells + place]!) as BoxNumbers;
    const [x, y] = [(place % G) + right, Math.floor(place / G) + down];
    const [halfWidth, halfHeight] = [Math.max(0, width) / 2, Math.max(0, height) / 2];
    const box = [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight].map((cells) => cells * cellSide);
    for (let label = 0; label < numDigits; label++) {
      const score = own * classes[label * numCells + place]!;
      if (score < leastScore) continue;
      found.boxes.push(box);
      found.labels.push(label);
      found.scores.push(score);
    }
  }
  return found;
}

type BoxNumbers = [number, number, number, number];

function hottestAround(heat: ArrayLike<number>, place: number, G: number): number {
  const [row, column] = [Math.floor(place / G), place % G];
  let hottest = 0;
  for (let r = Math.max(0, row - 1); r <= Math.min(G - 1, row + 1); r++) {
    for (let c = Math.max(0, column - 1); c <= Math.min(G - 1, column + 1); c++) {
      hottest = Math.max(hottest, heat[r * G + c]!);
    }
  }
  return hottest;
}
