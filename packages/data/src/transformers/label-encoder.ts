import { ValueError } from "@lockstep/core";
import { encodeLabels, type Label, type Labels } from "../splits/labels.js";
import { unknownCategory } from "./categories.js";
import { fitted } from "./fitted.js";

/** Saved form: what JSON.stringify(encoder) writes. */
export interface LabelEncoderJson {
  readonly kind: "LabelEncoder";
  readonly classes: readonly Label[] | null;
}

/**
 * Labels as numbers 0..numClasses-1, in ascending order of the labels: the targets of a classifier.
 *
 * @throws {ValueError} E_LABEL when labels are missing or mix numbers and text; E_CATEGORY for a label that fit did not see, or a number that
 *   stands for none. {StateError} E_NOT_FITTED before fit.
 * @source sklearn.preprocessing.LabelEncoder
 * @example
 * new LabelEncoder().fitTransform(["dog", "cat", "dog"]); // => Int32Array [1, 0, 1]
 */
export class LabelEncoder {
  #classes: readonly Label[] | undefined;

  /** Distinct labels, ascending: label i is number i. */
  get classes(): readonly Label[] {
    return fitted("LabelEncoder", this.#classes);
  }

  fit(labels: Labels): this {
    this.#classes = encodeLabels("LabelEncoder.fit", labels).classes;
    return this;
  }

  /** i32, ready for arrayDataset. */
  transform(labels: Labels): Int32Array {
    const { classes } = this;
    const codeOf = new Map(classes.map((label, code) => [label, code]));
    return Int32Array.from(labels, (value, row) => {
      const code = codeOf.get(value);
      if (code !== undefined) return code;
      throw unknownCategory("LabelEncoder.transform", { row, value, categories: classes }, "");
    });
  }

  fitTransform(labels: Labels): Int32Array {
    return this.fit(labels).transform(labels);
  }

  inverseTransform(codes: ArrayLike<number>): Label[] {
    const { classes } = this;
    return Array.from(codes, (code, i) => {
      const label = classes[code];
      if (label !== undefined) return label;
      throw new ValueError(
        `LabelEncoder.inverseTransform: number ${i} is ${code}; it must be a whole number in 0..${classes.length - 1}.`,
        { place: i, code },
        "E_CATEGORY",
      );
    });
  }

  toJSON(): LabelEncoderJson {
    return { kind: "LabelEncoder", classes: this.#classes ?? null };
  }

  static fromJSON({ classes }: LabelEncoderJson): LabelEncoder {
    const encoder = new LabelEncoder();
    encoder.#classes = classes ?? undefined;
    return encoder;
  }
}
