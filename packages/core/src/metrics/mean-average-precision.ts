/** @file Mean average precision of detected boxes, by the rules of COCO and of Pascal VOC. */

import { type Box, intersectionOverUnion, readBoxes } from "./boxes.js";
import {
  assertFinite,
  assertLabels,
  assertOneOf,
  assertSameLength,
  readValues,
  undefinedMetric,
  type Values,
} from "./inputs.js";

/** What is in an image. */
export interface BoxTargets {
  /** [N, 4] as x1, y1, x2, y2; [] for none. */
  readonly boxes: Values;
  readonly labels: Values;
}

/** What was found in an image. */
export interface BoxPredictions extends BoxTargets {
  readonly scores: Values;
}

export interface MeanAveragePrecisionOptions {
  /** Default: 0.5, 0.55 ... 0.95 for "coco", 0.5 for "voc". */
  readonly iouThresholds?: readonly number[];
  /** "coco": precision at 101 recalls; "voc": the whole area, and a detection counts only for the target it overlaps most. Default "coco". */
  readonly method?: "coco" | "voc";
  /** Of an image and class, those of highest score. Default 100 for "coco", all for "voc". */
  readonly maxDetections?: number;
}

/** One image, read. */
export interface DetectedImage {
  readonly targets: readonly { readonly box: Box; readonly label: number }[];
  /** In the order given. */
  readonly found: readonly { readonly box: Box; readonly label: number; readonly score: number }[];
}

export function readImage(where: string, targets: BoxTargets, predictions: BoxPredictions): DetectedImage {
  const label = (name: string, given: Values, numBoxes: number): ArrayLike<number> => {
    const { values } = readValues(where, name, given);
    assertSameLength(where, [name, values.length], ["its boxes", numBoxes]);
    assertLabels(where, name, values);
    return values;
  };
  const boxes = readBoxes(where, "targets.boxes", targets.boxes);
  const labels = label("targets.labels", targets.labels, boxes.length);
  const foundBoxes = readBoxes(where, "predictions.boxes", predictions.boxes);
  const foundLabels = label("predictions.labels", predictions.labels, foundBoxes.length);
  const { values: scores } = readValues(where, "predictions.scores", predictions.scores);
  assertSameLength(where, ["predictions.scores", scores.length], ["its boxes", foundBoxes.length]);
  assertFinite(where, "predictions.scores", scores);
  return {
    targets: boxes.map((box, i) => ({ box, label: labels[i]! })),
    found: foundBoxes.map((box, i) => ({ box, label: foundLabels[i]!, score: scores[i]! })),
  };
}

interface Match {
  readonly score: number;
  readonly isRight: boolean;
}

/** Which detections of one image and class are right. */
function matchImage(
  { targets, found }: DetectedImage,
  {
    threshold,
    method,
    maxDetections,
  }: { readonly threshold: number; readonly method: "coco" | "voc"; readonly maxDetections: number },
): Match[] {
  const isTaken = targets.map(() => false);
  return [...found]
    .sort((a, b) => b.score - a.score)
    .slice(0, maxDetections)
    .map(({ box, score }) => {
      let best = method === "coco" ? Math.min(threshold, 1 - 1e-10) : Number.NEGATIVE_INFINITY;
      let place = -1;
      targets.forEach((target, i) => {
        if (method === "coco" && isTaken[i]) return;
        const iou = intersectionOverUnion(box, target.box);
        if (method === "coco" ? iou < best : iou <= best) return;
        best = iou;
        place = i;
      });
      const isRight = place >= 0 && best >= Math.min(threshold, 1 - 1e-10) && !isTaken[place]!;
      if (isRight) isTaken[place] = true;
      return { score, isRight };
    });
}

const numRecalls = 101;

function averagePrecision(
  matches: readonly Match[],
  { numTargets, method }: { readonly numTargets: number; readonly method: "coco" | "voc" },
): number {
  let numRight = 0;
  const points = [...matches]
    .sort((a, b) => b.score - a.score)
    .map(({ isRight }, i) => {
      if (isRight) numRight++;
      return { recall: numRight / numTargets, precision: numRight / (i + 1) };
    });
  const envelope = points.map(({ precision }) => precision);
  for (let i = envelope.length - 2; i >= 0; i--) envelope[i] = Math.max(envelope[i]!, envelope[i + 1]!);
  if (method === "voc") {
    return points.reduce((sum, { recall }, i) => sum + (recall - (points[i - 1]?.recall ?? 0)) * envelope[i]!, 0);
  }
  let sum = 0;
  for (let r = 0, i = 0; r < numRecalls; r++) {
    while (i < points.length && points[i]!.recall < r / (numRecalls - 1)) i++;
    if (i < points.length) sum += envelope[i]!;
  }
  return sum / numRecalls;
}

export function meanAveragePrecisionOf(
  where: string,
  images: readonly DetectedImage[],
  options: MeanAveragePrecisionOptions,
): number {
  const { method = "coco" } = options;
  assertOneOf(where, "method", method, ["coco", "voc"]);
  const maxDetections = options.maxDetections ?? (method === "coco" ? 100 : Number.POSITIVE_INFINITY);
  const thresholds =
    options.iouThresholds ?? (method === "voc" ? [0.5] : Array.from({ length: 10 }, (_, i) => (50 + 5 * i) / 100));
  const labels = [...new Set(images.flatMap(({ targets }) => targets.map(({ label }) => label)))].sort((a, b) => a - b);
  if (labels.length === 0)
    throw undefinedMetric(where, "no image has a target box; one must", "Evaluate on images with objects.");
  let sum = 0;
  for (const label of labels) {
    const own = images.map(({ targets, found }) => ({
      targets: targets.filter((target) => target.label === label),
      found: found.filter((detection) => detection.label === label),
    }));
    const numTargets = own.reduce((count, { targets }) => count + targets.length, 0);
    for (const threshold of thresholds) {
      const matches = own.flatMap((image) => matchImage(image, { threshold, method, maxDetections }));
      sum += averagePrecision(matches, { numTargets, method });
    }
  }
  return sum / (labels.length * thresholds.length);
}

/**
 * Mean over classes and IoU thresholds of the average precision of detections. Classes without a target box are left out.
 *
 * @shape targets [images], predictions [images] -> number
 * @throws {ShapeError} E_SHAPE for lengths that differ. @throws {ValueError} E_METRIC_UNDEFINED without any target box.
 * @source COCOeval of pycocotools, without crowds and area ranges; VOCevaldet.m of the VOC 2010 devkit, without difficult objects and
 *   with continuous coordinates.
 * @example
 * const found = { boxes: [[0, 0, 10, 9]], labels: [0], scores: [0.8] };
 * metrics.meanAveragePrecision([{ boxes: [[0, 0, 10, 10]], labels: [0] }], [found]); // => 0.9
 */
export function meanAveragePrecision(
  targets: readonly BoxTargets[],
  predictions: readonly BoxPredictions[],
  options: MeanAveragePrecisionOptions = {},
): number {
  const where = "meanAveragePrecision";
  assertSameLength(where, ["targets", targets.length], ["predictions", predictions.length]);
  const images = targets.map((target, i) => readImage(where, target, predictions[i]!));
  return meanAveragePrecisionOf(where, images, options);
}
