/**
 * @file Digits as points of a grid: what the network is to answer for a scene, and the boxes that an answer means.
 *
 * A cell is 4 x 4 pixels. In the cell where the middle of a box lies, the heat map of its digit is 1, and four numbers say where in the cell the
 * middle is and how large the box, in cells. Legend: K digits, G cells of a scene's side.
 */
import { type metrics, scalarMath } from "@lockstep/core";
import type { SceneObject } from "@lockstep-examples/digits-data/scenes";

/** Pixels of a cell's side. */
export const cellSide = 4;
export const numDigits = 10;
/** Numbers of a box: how far right and down in its cell, how wide and high. */
export const numBoxNumbers = 4;

export interface CentreTargets {
  /** [K, G, G]: 1 in the cell of a middle, less around it. */
  readonly heat: Float32Array;
  /** [4, G, G], 0 where no middle is. */
  readonly boxes: Float32Array;
  /** [1, G, G]: 1 where a middle is. */
  readonly isCentre: Float32Array;
}

export interface CentreAnswer {
  /** [K, G, G], in 0..1. */
  readonly heat: ArrayLike<number>;
  /** [4, G, G] */
  readonly boxes: ArrayLike<number>;
}

/** Place of a cell in the numbers of one channel. */
const placeOf = (row: number, column: number, G: number): number => row * G + column;

/**
 * What the network is to answer for the digits of a scene, whose middles lie in different cells.
 *
 * @source Zhou et al. 2019, Objects as Points, section 3. Deviation: the bell around a middle is as wide and high as the box is (standard deviation
 *   a quarter of its side), as in Liu et al. 2020 (TTFNet), instead of round.
 */
export function encodeCentres(objects: readonly SceneObject[], side: number): CentreTargets {
  const G = side / cellSide;
  const heat = new Float32Array(numDigits * G * G);
  const boxes = new Float32Array(numBoxNumbers * G * G);
  const isCentre = new Float32Array(G * G);
  for (const { box, label } of objects) {
    const [x1, y1, x2, y2] = box.map((pixels) => pixels / cellSide) as [number, number, number, number];
    const [x, y, width, height] = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1];
    const [column, row] = [Math.floor(x), Math.floor(y)];
    for (let r = 0; r < G; r++) {
      for (let c = 0; c < G; c++) {
        const [right, down] = [(c - column) / (width / 4), (r - row) / (height / 4)];
        const bell = scalarMath.exp(-(right * right + down * down) / 2);
        const place = label * G * G + placeOf(r, c, G);
        heat[place] = Math.max(heat[place]!, bell);
      }
    }
    const place = placeOf(row, column, G);
    isCentre[place] = 1;
    for (const [i, number] of [x - column, y - row, width, height].entries()) boxes[i * G * G + place] = number;
  }
  return { heat, boxes, isCentre };
}

/** Less heat is no detection. */
const leastScore = 0.02;

/**
 * The boxes of an answer: of each digit, every cell that is as hot as its eight neighbours. The heat is the score.
 *
 * @source Zhou et al. 2019, section 4: local maxima stand in for suppressing boxes that overlap.
 */
export function decodeCentres({ heat, boxes }: CentreAnswer): metrics.BoxPredictions {
  const G = Math.sqrt(boxes.length / numBoxNumbers);
  const found = { boxes: [] as number[][], labels: [] as number[], scores: [] as number[] };
  for (let label = 0; label < numDigits; label++) {
    for (let row = 0; row < G; row++) {
      for (let column = 0; column < G; column++) {
        const place = placeOf(row, column, G);
        const score = heat[label * G * G + place]!;
        if (score < leastScore || score < hottestAround(heat, { label, row, column, G })) continue;
        const [right, down, width, height] = [0, 1, 2, 3].map((i) => boxes[i * G * G + place]!) as [
          number,
          number,
          number,
          number,
        ];
        const [x, y] = [column + right, row + down];
        const [halfWidth, halfHeight] = [Math.max(0, width) / 2, Math.max(0, height) / 2];
        const box = [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight];
        found.boxes.push(box.map((cells) => cells * cellSide));
        found.labels.push(label);
        found.scores.push(score);
      }
    }
  }
  return found;
}

function hottestAround(
  heat: ArrayLike<number>,
  { label, row, column, G }: Readonly<Record<"label" | "row" | "column" | "G", number>>,
): number {
  let hottest = 0;
  for (let r = Math.max(0, row - 1); r <= Math.min(G - 1, row + 1); r++) {
    for (let c = Math.max(0, column - 1); c <= Math.min(G - 1, column + 1); c++) {
      hottest = Math.max(hottest, heat[label * G * G + placeOf(r, c, G)]!);
    }
  }
  return hottest;
}
