/** @file The text of an einsum, read: which label each dim of each operand and of the result has. Pure. */
import { ShapeError, ValueError } from "../errors.js";
import { formatShape, type Shape } from "../tensor/shape.js";

/** A letter, or ".0", ".1", ... for the dims of an ellipsis, counted from the last. */
export type Label = string;

export interface EinsumEquation {
  /** By operand. A label may stand twice in one: its diagonal. */
  readonly operands: readonly (readonly Label[])[];
  /** Each label once. */
  readonly output: readonly Label[];
  /** Size of each label. */
  readonly sizes: ReadonlyMap<Label, number>;
}

const term = /^[A-Za-z]*(?:\.\.\.)?[A-Za-z]*$/;

/**
 * @throws {ValueError} E_EINSUM for text that is no equation; {ShapeError} E_SHAPE where it does not fit the shapes.
 */
export function readEquation(text: string, shapes: readonly Shape[]): EinsumEquation {
  const bad = (what: string, rule: string): ValueError =>
    new ValueError(`einsum: the equation is "${text}", ${what}; ${rule}.`, { equation: text }, "E_EINSUM");
  const [left = "", right, ...more] = text.replaceAll(/\s/g, "").split("->");
  const terms = left.split(",");
  for (const each of [...terms, right ?? ""]) {
    if (more.length > 0 || !term.test(each)) {
      throw bad(`in which "${each}" is no term`, 'each must be letters and at most one "...", as in "ij,jk->ik"');
    }
  }
  if (terms.length !== shapes.length) {
    throw bad(`with ${terms.length} terms for ${shapes.length} operands`, "there must be one term for each operand");
  }
  const operands = terms.map((each, i) => labelsOf(each, i, shapes[i]!));
  const sizes = sizesOf(operands, shapes);
  const dots = [...sizes.keys()].filter((label) => label.startsWith(".")).sort(fromFirst);
  const output = right === undefined ? implicitOutput(operands, dots) : split(right, dots);
  const unknown = output.find((label) => !sizes.has(label));
  if (unknown !== undefined)
    throw bad(`whose result names "${unknown}"`, "the result may only name labels of the operands");
  const twice = output.find((label, i) => output.indexOf(label) !== i);
  if (twice !== undefined) throw bad(`whose result names "${twice}" twice`, "the result must name a label once");
  return { operands, output, sizes };
}

/** ".1" stands before ".0". */
function fromFirst(a: Label, b: Label): number {
  return Number(b.slice(1)) - Number(a.slice(1));
}

function split(each: string, dots: readonly Label[]): Label[] {
  const [before = "", after] = each.split("...");
  return [...before, ...(after === undefined ? [] : [...dots, ...after])];
}

function labelsOf(each: string, operand: number, shape: Shape): Label[] {
  const numLetters = each.replace("...", "").length;
  const numDots = shape.length - numLetters;
  if (numDots < 0 || (numDots > 0 && !each.includes("..."))) {
    throw new ShapeError(
      `einsum: the term "${each}" names ${numLetters} dims, but operand ${operand} is ${formatShape(shape)}; it must name each of its ${shape.length} dims${numDots < 0 ? "" : ', or have "..." for the rest'}.`,
      { term: each, operand, shape },
    );
  }
  return split(
    each,
    Array.from({ length: numDots }, (_, i) => `.${numDots - 1 - i}`),
  );
}

function sizesOf(operands: readonly (readonly Label[])[], shapes: readonly Shape[]): Map<Label, number> {
  const sizes = new Map<Label, number>();
  operands.forEach((labels, operand) => {
    labels.forEach((label, axis) => {
      const size = shapes[operand]![axis]!;
      const known = sizes.get(label) ?? 1;
      if (size !== known && size !== 1 && known !== 1) {
        throw new ShapeError(
          `einsum: dim ${axis} of operand ${operand}, ${formatShape(shapes[operand]!)}, has size ${size}, but "${label}" has size ${known} before; equal labels must have equal sizes, or 1.`,
          { operand, axis, size, expected: known },
        );
      }
      if (size !== 1 || !sizes.has(label)) sizes.set(label, size);
    });
  });
  return sizes;
}

/** The ellipsis, then the letters that stand once, in alphabetical order. */
function implicitOutput(operands: readonly (readonly Label[])[], dots: readonly Label[]): Label[] {
  const letters = operands.flat().filter((label) => !label.startsWith("."));
  const once = letters.filter((label) => letters.indexOf(label) === letters.lastIndexOf(label));
  return [...dots, ...once.sort((a, b) => (a < b ? -1 : 1))];
}
