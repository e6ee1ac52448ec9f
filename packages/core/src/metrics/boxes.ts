/** @file Boxes [x1, y1, x2, y2] with x1 <= x2 and y1 <= y2. */
import { ShapeError, ValueError } from "../errors.js";
import { formatShape } from "../tensor/shape.js";
import { assertFinite, assertLabels, assertSameLength, readValues, type Values } from "./inputs.js";

export type Box = readonly [number, number, number, number];

/** [N, 4], N may be 0. @throws {ShapeError} E_SHAPE, {ValueError} E_VALUE for a box turned inside out. */
export function readBoxes(where: string, name: string, given: Values): Box[] {
  const { shape, values } = readValues(where, name, given);
  if (values.length === 0) return [];
  if (shape.length !== 2 || shape[1] !== 4) {
    throw new ShapeError(
      `${where}: ${name} has shape ${formatShape(shape)}; it must be [boxes, 4]: x1, y1, x2, y2. Reshape it.`,
      { argument: name, shape },
    );
  }
  assertFinite(where, name, values);
  return Array.from({ length: shape[0]! }, (_, i) => {
    const box = [0, 1, 2, 3].map((j) => values[4 * i + j]!) as unknown as Box;
    if (box[0] <= box[2] && box[1] <= box[3]) return box;
    throw new ValueError(
      `${where}: ${name}[${i}] is [${box.join(", ")}]; x1 <= x2 and y1 <= y2 must hold. Convert it from x, y, width, height first.`,
      { argument: name, index: i, box },
    );
  });
}

export function intersectionOverUnion(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const both = Math.max(0, width) * Math.max(0, height);
  const areaOf = (box: Box): number => (box[2] - box[0]) * (box[3] - box[1]);
  const either = areaOf(a) + areaOf(b) - both;
  return either === 0 ? 0 : both / either;
}

/**
 * Intersection over union of every pair of boxes.
 *
 * @shape boxes1 [N, 4], boxes2 [M, 4] -> [N][M]
 * @throws {ShapeError} E_SHAPE. @throws {ValueError} E_VALUE for a box with x1 > x2.
 * @source torchvision.ops.box_iou; two boxes without area give 0.
 * @example
 * metrics.boxIou([[0, 0, 2, 2]], [[1, 0, 3, 2], [5, 5, 6, 6]]); // => [[1 / 3, 0]]
 */
export function boxIou(boxes1: Values, boxes2: Values): number[][] {
  const others = readBoxes("boxIou", "boxes2", boxes2);
  return readBoxes("boxIou", "boxes1", boxes1).map((box) => others.map((other) => intersectionOverUnion(box, other)));
}

/**
 * Non-maximum suppression: goes through the boxes from the highest score down and drops those that overlap a kept one by more than the
 * threshold. Of equal scores the earlier box comes first.
 *
 * @shape boxes [N, 4], scores [N] -> indices of the kept boxes, by descending score
 * @throws {ShapeError} E_SHAPE. @throws {ValueError} E_METRIC_NOT_FINITE for a NaN score.
 * @source torchvision.ops.nms, and batched_nms where classes are given.
 * @example
 * metrics.nonMaximumSuppression([[0, 0, 2, 2], [0, 0, 2, 2.1], [4, 4, 5, 5]], [0.5, 0.9, 0.4], { iouThreshold: 0.5 }); // => [1, 2]
 */
export function nonMaximumSuppression(
  boxes: Values,
  scores: Values,
  { iouThreshold, classes }: { readonly iouThreshold: number; readonly classes?: Values },
): number[] {
  const where = "nonMaximumSuppression";
  const all = readBoxes(where, "boxes", boxes);
  const { values } = readValues(where, "scores", scores);
  assertSameLength(where, ["boxes", all.length], ["scores", values.length]);
  assertFinite(where, "scores", values);
  const labels = classes === undefined ? undefined : readValues(where, "classes", classes).values;
  if (labels !== undefined) {
    assertSameLength(where, ["boxes", all.length], ["classes", labels.length]);
    assertLabels(where, "classes", labels);
  }
  const kept: number[] = [];
  const order = all.map((_, i) => i).sort((a, b) => values[b]! - values[a]! || a - b);
  for (const i of order) {
    const isDropped = kept.some(
      (k) => labels?.[k] === labels?.[i] && intersectionOverUnion(all[k]!, all[i]!) > iouThreshold,
    );
    if (!isDropped) kept.push(i);
  }
  return kept;
}
