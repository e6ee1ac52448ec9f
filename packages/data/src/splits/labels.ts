/** @file Labels (classes, groups): sorted distinct values, and each sample's place among them. */
import { ValueError } from "@lockstep/core";

export type Label = number | string;
/** One for each sample: an array of numbers or of text, or a number array of any type. */
export type Labels = ArrayLike<Label>;

export interface EncodedLabels {
  /** Distinct labels in ascending order: numbers by size, text by code point. */
  readonly classes: readonly Label[];
  /** Place of each sample's label in `classes`. */
  readonly codes: Int32Array;
}

/** Ascending: numbers by size, text by code point (as Python sorts it; `<` would go by UTF-16 units). */
export function compareLabels(a: Label, b: Label): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [left, right] = [[...String(a)], [...String(b)]];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** @throws {ValueError} E_LABEL with the place of a label that is missing, or of another kind than the first. */
export function encodeLabels(where: string, labels: Labels): EncodedLabels {
  const distinct = new Set<Label>();
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    assertLabel(where, label, i, labels[0]!);
    distinct.add(label);
  }
  const classes = [...distinct].sort(compareLabels);
  const codeOf = new Map(classes.map((label, code) => [label, code]));
  return { classes, codes: Int32Array.from(labels, (label) => codeOf.get(label)!) };
}

function assertLabel(where: string, label: unknown, i: number, first: unknown): asserts label is Label {
  const isLabel = typeof label === "string" || (typeof label === "number" && !Number.isNaN(label));
  if (isLabel && typeof label === typeof first) return;
  const shown = typeof label === "string" ? JSON.stringify(label) : String(label);
  throw new ValueError(
    `${where}: label ${i} is ${shown}; it must be a number or text that is not missing, of the kind of the first label.`,
    { place: i, label },
    "E_LABEL",
  );
}
