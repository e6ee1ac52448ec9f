import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { errorOf } from "../errors.testkit.js";
import { tensor } from "../tensor/create.js";
import { einsum, tensorDot } from "./index.js";
import "./tensor-methods.js";

const a = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);
const b = tensor([
  [1, 0],
  [0, 1],
  [2, 2],
]);

const sizes: Readonly<Record<string, number>> = { a: 2, b: 3, c: 1, d: 4 };
const labels = Object.keys(sizes);

/** Adds up every product, label by label. Small whole numbers: no sum is rounded. */
function sumOfProducts(terms: readonly string[], output: string, lists: readonly (readonly number[])[]): number[] {
  const placeOf = (term: string, at: Readonly<Record<string, number>>) =>
    [...term].reduce((place, label) => place * sizes[label]! + at[label]!, 0);
  const out = new Array<number>([...output].reduce((count, label) => count * sizes[label]!, 1)).fill(0);
  const visit = (at: Record<string, number>, rest: readonly string[]): void => {
    const [label, ...others] = rest;
    if (label === undefined) {
      out[placeOf(output, at)]! += terms.reduce((product, term, i) => product * lists[i]![placeOf(term, at)]!, 1);
      return;
    }
    for (let i = 0; i < sizes[label]!; i++) visit({ ...at, [label]: i }, others);
  };
  visit(
    {},
    labels.filter((label) => terms.some((term) => term.includes(label))),
  );
  return out;
}

const term = fc.array(fc.constantFrom(...labels), { maxLength: 3 }).map((list) => list.join(""));

describe("einsum", () => {
  test("is the sum over every label of the product of all operands, for any equation", () => {
    fc.assert(
      fc.property(fc.array(term, { minLength: 1, maxLength: 3 }), fc.shuffledSubarray(labels), (terms, wanted) => {
        const output = wanted.filter((label) => terms.some((each) => each.includes(label))).join("");
        const lists = terms.map((each, i) =>
          Array.from({ length: [...each].reduce((n, label) => n * sizes[label]!, 1) }, (_, k) => ((k * 7 + i) % 5) - 2),
        );
        const operands = terms.map((each, i) =>
          tensor(Float32Array.from(lists[i]!), { shape: [...each].map((label) => sizes[label]!) }),
        );
        const result = einsum(`${terms.join()}->${output}`, ...operands);
        expect(result.shape).toEqual([...output].map((label) => sizes[label]!));
        expect(Array.from(result.dataSync(), (value) => value + 0)).toEqual(
          sumOfProducts(terms, output, lists).map((value) => value + 0),
        );
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  test("takes spaces, a label of size 1 that stretches, a label three times in one operand", () => {
    expect(einsum(" i j , j k -> i k ", a, b).toArraySync()).toEqual([
      [7, 8],
      [16, 17],
    ]);
    expect(einsum("ij,ij->i", a, tensor([[1], [10]])).toArraySync()).toEqual([6, 150]);
    const cube = tensor(
      Float32Array.from({ length: 8 }, (_, i) => i),
      { shape: [2, 2, 2] },
    );
    expect(einsum("iii", cube).itemSync()).toBe(7);
    expect(einsum("iii->i", cube).toArraySync()).toEqual([0, 7]);
  });

  test("sums out the dims of an ellipsis that the result does not have", () => {
    expect(einsum("...i->i", a).toArraySync()).toEqual([5, 7, 9]);
    expect(einsum("ij->j...", a).toArraySync()).toEqual([5, 7, 9]);
  });

  test("orders the labels of a result that is not given by the alphabet", () => {
    expect(einsum("ji", a).toArraySync()).toEqual([
      [1, 4],
      [2, 5],
      [3, 6],
    ]);
  });

  test("empty dims sum to zero", () => {
    const empty = tensor([], { shape: [2, 0] });
    expect(einsum("ij,kj->ik", empty, empty).toArraySync()).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test.each<[string, () => unknown, string, string]>([
    [
      "no operands",
      () => einsum("i"),
      "E_VALUE",
      'einsum: the equation is "i" and there are no operands; at least one is needed.',
    ],
    [
      "another number of operands",
      () => einsum("ij,jk->ik", a),
      "E_EINSUM",
      'einsum: the equation is "ij,jk->ik", with 2 terms for 1 operands; there must be one term for each operand.',
    ],
    [
      "what is no letter",
      () => einsum("i1->i", a),
      "E_EINSUM",
      'einsum: the equation is "i1->i", in which "i1" is no term; each must be letters and at most one "...", as in "ij,jk->ik".',
    ],
    ["two arrows", () => einsum("ij->i->j", a), "E_EINSUM", 'einsum: the equation is "ij->i->j", in which'],
    [
      "a result from nowhere",
      () => einsum("ij->k", a),
      "E_EINSUM",
      'einsum: the equation is "ij->k", whose result names "k"; the result may only name labels of the operands.',
    ],
    [
      "a result twice",
      () => einsum("ij->ii", a),
      "E_EINSUM",
      'einsum: the equation is "ij->ii", whose result names "i" twice; the result must name a label once.',
    ],
    [
      "too few labels",
      () => einsum("i", a),
      "E_SHAPE",
      'einsum: the term "i" names 1 dims, but operand 0 is [2,3]; it must name each of its 2 dims, or have "..." for the rest.',
    ],
    [
      "too many labels",
      () => einsum("ijk", a),
      "E_SHAPE",
      'einsum: the term "ijk" names 3 dims, but operand 0 is [2,3]; it must name each of its 2 dims.',
    ],
    [
      "unlike sizes",
      () => einsum("ij,ik", a, b),
      "E_SHAPE",
      'einsum: dim 0 of operand 1, [3,2], has size 3, but "i" has size 2 before; equal labels must have equal sizes, or 1.',
    ],
    [
      "the diagonal of a wide matrix",
      () => einsum("ii", tensor([[1, 2]])),
      "E_SHAPE",
      'einsum: "i" names two dims of an operand of shape [1,2]; both must have one size.',
    ],
    [
      "integers",
      () => einsum("i", tensor([1], { dtype: "i32" })),
      "E_DTYPE",
      'einsum: operand 0 is i32; it must be f32. Use cast("f32").',
    ],
  ])("refuses %s", (_, run, code, text) => {
    const error = errorOf(run);
    expect([error.code, error.message.slice(0, text.length)]).toEqual([code, text]);
  });
});

describe("tensorDot", () => {
  test("of no axes is every product, of all axes one number", () => {
    expect(tensorDot(tensor([1, 2]), tensor([3, 4]), 0).toArraySync()).toEqual([
      [3, 4],
      [6, 8],
    ]);
    expect(tensorDot(a, a).itemSync()).toBe(91);
  });

  test.each<[string, () => unknown, string, string]>([
    [
      "more axes than dims",
      () => tensorDot(a, b, 3),
      "E_SHAPE",
      "tensorDot: axes is 3, but a is [2,3] and b is [3,2]; it must be a whole number of at least 0 and at most the dims of each.",
    ],
    [
      "axes of unlike sizes",
      () => tensorDot(a, b, [[0], [0]]),
      "E_SHAPE",
      "tensorDot: axes [0] of a [2,3] go with axes [0] of b [3,2]; there must be as many, each once, of equal sizes.",
    ],
    [
      "an axis twice",
      () =>
        tensorDot(a, a, [
          [0, 0],
          [0, 0],
        ]),
      "E_SHAPE",
      "tensorDot: axes [0,0] of a",
    ],
  ])("refuses %s", (_, run, code, text) => {
    const error = errorOf(run);
    expect([error.code, error.message.slice(0, text.length)]).toEqual([code, text]);
  });
});
