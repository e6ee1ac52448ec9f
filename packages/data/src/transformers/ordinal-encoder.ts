import { ValueError } from "@lockstep/core";
import type { Label } from "../splits/labels.js";
import { createMatrix, type Matrix, type MatrixInput } from "../table/matrix.js";
import { type CategoryInput, categoryColumns, learnCategories, unknownCategory } from "./categories.js";
import { assertWidth, fitted } from "./fitted.js";

export interface OrdinalEncoderOptions {
  /** Order of each column's labels. Default: learned, ascending. */
  readonly categories?: readonly (readonly Label[])[];
  /** Number of labels that fit did not see; they are an error where it is not given. No number in 0..numCategories-1. */
  readonly unknownValue?: number;
}

/** Saved form: what JSON.stringify(encoder) writes. */
export interface OrdinalEncoderJson {
  readonly kind: "OrdinalEncoder";
  readonly given: readonly (readonly Label[])[] | null;
  readonly unknownValue: number | "NaN" | null;
  readonly categories: readonly (readonly Label[])[] | null;
}

/**
 * Each column's labels as numbers 0, 1, 2, ... in ascending order of the labels, or in an order that is given.
 *
 * @throws {ValueError} E_CATEGORY for a label that fit did not see (row, column, label), or a number that stands for none; E_MISSING, E_COLUMNS, E_LABEL,
 *   E_FIT; E_VALUE for an unknownValue that is a label's number. {StateError} E_NOT_FITTED before fit.
 * @source sklearn.preprocessing.OrdinalEncoder; unknownValue stands for handle_unknown="use_encoded_value". Deviation: a missing value is
 *   an error, not a category.
 * @example
 * new OrdinalEncoder().fit([["b", 3], ["a", 1]]).transform([["b", 1]]).values; // => [1, 0]
 */
export class OrdinalEncoder {
  readonly unknownValue: number | undefined;
  readonly #given: readonly (readonly Label[])[] | undefined;
  #categories: readonly (readonly Label[])[] | undefined;

  constructor({ categories, unknownValue }: OrdinalEncoderOptions = {}) {
    this.#given = categories;
    this.unknownValue = unknownValue;
  }

  /** Labels of each column: label i is number i. */
  get categories(): readonly (readonly Label[])[] {
    return fitted("OrdinalEncoder", this.#categories);
  }

  fit(input: CategoryInput): this {
    const columns = categoryColumns("OrdinalEncoder.fit", input);
    const categories = this.#given ?? learnCategories("OrdinalEncoder.fit", columns);
    assertWidth("OrdinalEncoder.fit", columns.length, categories.length);
    for (const { length } of categories) {
      const { unknownValue } = this;
      if (unknownValue === undefined || !(Number.isInteger(unknownValue) && unknownValue >= 0 && unknownValue < length))
        continue;
      throw new ValueError(
        `OrdinalEncoder: unknownValue is ${unknownValue}; it must not be in 0..${length - 1}, the numbers of labels.`,
        {
          unknownValue,
          numCategories: length,
        },
      );
    }
    this.#categories = categories;
    if (this.#given !== undefined) this.#encode("OrdinalEncoder.fit", columns, undefined);
    return this;
  }

  transform(input: CategoryInput): Matrix {
    return this.#encode(
      "OrdinalEncoder.transform",
      categoryColumns("OrdinalEncoder.transform", input),
      this.unknownValue,
    );
  }

  fitTransform(input: CategoryInput): Matrix {
    return this.fit(input).transform(input);
  }

  /** Rows of labels; null where a number is unknownValue. */
  inverseTransform(input: MatrixInput): (Label | null)[][] {
    const { categories } = this;
    const { numRows, numColumns, values } = createMatrix(input);
    assertWidth("OrdinalEncoder.inverseTransform", numColumns, categories.length);
    return Array.from({ length: numRows }, (_, row) =>
      categories.map((labels, column) => {
        const code = values[row * numColumns + column]!;
        if (Object.is(code, this.unknownValue)) return null;
        const label = labels[code];
        if (label !== undefined) return label;
        throw new ValueError(
          `OrdinalEncoder.inverseTransform: row ${row}, column ${column} is ${code}; it must be a whole number in 0..${labels.length - 1}.`,
          { row, column, code },
          "E_CATEGORY",
        );
      }),
    );
  }

  toJSON(): OrdinalEncoderJson {
    const unknownValue = Number.isNaN(this.unknownValue) ? "NaN" : (this.unknownValue ?? null);
    return { kind: "OrdinalEncoder", given: this.#given ?? null, unknownValue, categories: this.#categories ?? null };
  }

  static fromJSON({ given, unknownValue, categories }: OrdinalEncoderJson): OrdinalEncoder {
    const encoder = new OrdinalEncoder({
      ...(given === null ? {} : { categories: given }),
      ...(unknownValue === null ? {} : { unknownValue: Number(unknownValue) }),
    });
    encoder.#categories = categories ?? undefined;
    return encoder;
  }

  #encode(where: string, columns: readonly (readonly Label[])[], unknownValue: number | undefined): Matrix {
    const { categories } = this;
    assertWidth(where, columns.length, categories.length);
    const numRows = columns[0]?.length ?? 0;
    const values = new Float64Array(numRows * columns.length);
    for (const [column, labels] of columns.entries()) {
      const codeOf = new Map(categories[column]!.map((label, code) => [label, code]));
      for (const [row, value] of labels.entries()) {
        const code = codeOf.get(value) ?? unknownValue;
        if (code === undefined) {
          const place = { row, column, value, categories: categories[column]! };
          throw unknownCategory(where, place, " Give { unknownValue } to mark such labels.");
        }
        values[row * columns.length + column] = code;
      }
    }
    return { numRows, numColumns: columns.length, values };
  }
}
