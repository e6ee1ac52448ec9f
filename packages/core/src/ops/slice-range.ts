/** @file start:stop:step, as ranges or as text, turned into windows of a shape. Pure. */
import { ValueError } from "../errors.js";

/** One entry for each dim. Steps are positive. */
export interface SliceAttrs {
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  readonly steps: readonly number[];
}

/** `start` (included) to `stop` (not included), each negative from the end, in steps. */
export interface SliceRange {
  readonly start?: number;
  readonly stop?: number;
  /** Not 0; a negative one walks backwards. Default 1. */
  readonly step?: number;
}

/** What a range takes of one dim: `size` places from `start` in steps above 0, read backwards or not. */
export interface SliceBounds {
  readonly start: number;
  readonly size: number;
  readonly step: number;
  readonly isBackward: boolean;
}

/**
 * Python's rule: ends beyond the dim are cut, so a range is never out of bounds.
 * @throws {ValueError} E_VALUE for a step of 0 and for anything that is no whole number.
 */
export function boundsOf(where: string, size: number, range: SliceRange): SliceBounds {
  const { step = 1 } = range;
  const isBackward = step < 0;
  const { start = isBackward ? size - 1 : 0, stop } = range;
  if (step === 0 || ![start, stop ?? 0, step].every(Number.isInteger)) {
    throw new ValueError(
      `${where}: the range is ${start}:${stop ?? ""}:${step}; start, stop and step must be whole numbers and step not 0.`,
      { start, stop, step },
    );
  }
  const [lowest, highest] = isBackward ? [-1, size - 1] : [0, size];
  const cut = (at: number): number => Math.min(highest, Math.max(lowest, at < 0 ? at + size : at));
  const from = cut(start);
  const to = stop === undefined ? (isBackward ? -1 : size) : cut(stop);
  const count = Math.max(0, Math.ceil((to - from) / step));
  // Backwards: the window begins at the last place that is read. An empty one begins anywhere inside.
  const first = isBackward ? from + Math.max(0, count - 1) * step : from;
  return { start: Math.max(0, first), size: count, step: Math.abs(step), isBackward };
}

export function windowAttrs(bounds: readonly SliceBounds[]): SliceAttrs {
  return {
    starts: bounds.map((b) => b.start),
    sizes: bounds.map((b) => b.size),
    steps: bounds.map((b) => b.step),
  };
}

/** Axes of the window that are read backwards. */
export function backwardAxes(bounds: readonly SliceBounds[]): number[] {
  return bounds.map((_, axis) => axis).filter((axis) => bounds[axis]!.isBackward && bounds[axis]!.size > 1);
}

const pattern = /^\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*)?$/;

/** "1:3", "::-1", ":" ... @throws {ValueError} E_VALUE for other text. */
export function parseRange(where: string, text: string): SliceRange {
  const match = pattern.exec(text);
  if (match === null) {
    throw new ValueError(
      `${where}: an index is "${text}"; text must be "start:stop:step" with whole numbers, each of which may be missing, or "...". Give one index for each dim, a plain number as a number.`,
      { text },
    );
  }
  const [start, stop, step] = match.slice(1).map((part) => (part === undefined ? undefined : Number(part)));
  return {
    ...(start === undefined ? {} : { start }),
    ...(stop === undefined ? {} : { stop }),
    ...(step === undefined ? {} : { step }),
  };
}
