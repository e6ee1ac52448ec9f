import { ValueError } from "@lockstep/core";
import type { Label } from "../splits/labels.js";
import { createMatrix, type Matrix, type MatrixInput } from "../table/matrix.js";
import { type CategoryInput, categoryColumns, learnCategories, unknownCategory } from "./categories.js";
import { assertWidth, fitted } from "./fitted.js";

export interface OneHotEncoderOptions {
  /** "none" (default); "first" leaves out each column's first label, "ifBinary" that of columns with two labels. */
  readonly drop?: "none" | "first" | "ifBinary";
  /** What a label that fit did not see becomes: "error" (default), or a row of zeros. */
  readonly handleUnknown?: "error" | "ignore";
}

/** Saved form: what JSON.stringify(encoder) writes. */
export interface OneHotEncoderJson {
  readonly kind: "OneHotEncoder";
  readonly drop: "none" | "first" | "ifBinary";
  readonly handleUnknown: "error" | "ignore";
  readonly categories: readonly (readonly Label[])[] | null;
}

/**
 * Each label of each column as a column of 0 and 1.
 *
 * @throws {ValueError} E_CATEGORY for a label that fit did not see (row, column, label), or a row that is none's in inverseTransform; E_MISSING, E_COLUMNS,
 *   E_LABEL, E_FIT. {StateError} E_NOT_FITTED before fit.
 * @source sklearn.preprocessing.OneHotEncoder(sparse_output=False). Deviation: a missing value is an error, not a category.
 * @example
 * new OneHotEncoder().fit([["b"], ["a"]]).transform([["b"], ["a"]]).values; // => [0, 1, 1, 0]
 */
export class OneHotEncoder {
  readonly drop: "none" | "first" | "ifBinary";
  readonly handleUnknown: "error" | "ignore";
  #categories: readonly (readonly Label[])[] | undefined;

  constructor({ drop = "none", handleUnknown = "error" }: OneHotEncoderOptions = {}) {
    this.drop = drop;
    this.handleUnknown = handleUnknown;
  }

  /** Labels of each column, ascending, also the dropped ones. */
  get categories(): readonly (readonly Label[])[] {
    return fitted("OneHotEncoder", this.#categories);
  }

  /** `name_label` of each column of the result. @param names of the input's columns; default x0, x1, ... */
  featureNames(names?: readonly string[]): string[] {
    return this.categories.flatMap((labels, c) =>
      labels.slice(this.#numDropped(labels)).map((label) => `${names?.[c] ?? `x${c}`}_${label}`),
    );
  }

  fit(input: CategoryInput): this {
    this.#categories = learnCategories("OneHotEncoder.fit", categoryColumns("OneHotEncoder.fit", input));
    return this;
  }

  transform(input: CategoryInput): Matrix {
    const where = "OneHotEncoder.transform";
    const { categories } = this;
    const columns = categoryColumns(where, input);
    assertWidth(where, columns.length, categories.length);
    const numRows = columns[0]?.length ?? 0;
    const numColumns = this.#width();
    const values = new Float64Array(numRows * numColumns);
    let begin = 0;
    for (const [column, labels] of categories.entries()) {
      const dropped = this.#numDropped(labels);
      const codeOf = new Map(labels.map((label, code) => [label, code - dropped]));
      for (const [row, value] of columns[column]!.entries()) {
        const code = codeOf.get(value);
        if (code === undefined && this.handleUnknown === "error") {
          const place = { row, column, value, categories: labels };
          throw unknownCategory(where, place, ' Give { handleUnknown: "ignore" } to make such rows zeros.');
        }
        if (code !== undefined && code >= 0) values[row * numColumns + begin + code] = 1;
      }
      begin += labels.length - dropped;
    }
    return { numRows, numColumns, values };
  }

  fitTransform(input: CategoryInput): Matrix {
    return this.fit(input).transform(input);
  }

  /** Rows of labels; a row of zeros is the dropped label, or null where unknown labels are ignored and none is dropped. */
  inverseTransform(input: MatrixInput): (Label | null)[][] {
    const { categories } = this;
    const { numRows, numColumns, values } = createMatrix(input);
    assertWidth("OneHotEncoder.inverseTransform", numColumns, this.#width());
    return Array.from({ length: numRows }, (_, row) => {
      let begin = row * numColumns;
      return categories.map((labels, column) => {
        const dropped = this.#numDropped(labels);
        const part = values.subarray(begin, begin + labels.length - dropped);
        begin += part.length;
        const code = part.reduce((best, value, i) => (value > (part[best] ?? 0) ? i : best), -1);
        if (code >= 0) return labels[code + dropped]!;
        if (dropped > 0) return labels[0]!;
        if (this.handleUnknown === "ignore") return null;
        throw new ValueError(
          `OneHotEncoder.inverseTransform: row ${row} has no positive number for column ${column}; one of its ${labels.length} must be.`,
          { row, column },
          "E_CATEGORY",
        );
      });
    });
  }

  toJSON(): OneHotEncoderJson {
    const { drop, handleUnknown } = this;
    return { kind: "OneHotEncoder", drop, handleUnknown, categories: this.#categories ?? null };
  }

  static fromJSON({ categories, ...options }: OneHotEncoderJson): OneHotEncoder {
    const encoder = new OneHotEncoder(options);
    encoder.#categories = categories ?? undefined;
    return encoder;
  }

  #numDropped(labels: readonly Label[]): number {
    return this.drop === "first" || (this.drop === "ifBinary" && labels.length === 2) ? 1 : 0;
  }

  #width(): number {
    return this.categories.reduce((sum, labels) => sum + labels.length - this.#numDropped(labels), 0);
  }
}
