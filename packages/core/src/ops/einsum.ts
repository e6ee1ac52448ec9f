/** @file einsum and tensorDot, made of permute, reshape, sum, mul and matmul. Operands go together from left to right, always. */
import { DTypeError, ShapeError, ValueError } from "../errors.js";
import { formatShape, normalizeAxis, numElements } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { mul } from "./arithmetic.js";
import { diagonal } from "./diagonal.js";
import { type EinsumEquation, type Label, readEquation } from "./einsum-equation.js";
import { expand, sum } from "./expand-sum.js";
import { matmul } from "./matmul.js";
import { permute } from "./permute.js";
import { reshape } from "./reshape.js";

/** A tensor whose dims have names, each once. */
interface Labelled {
  readonly tensor: Tensor;
  readonly labels: readonly Label[];
}

/**
 * Sums of products over named dims, as the equation says: "ij,jk->ik". A label in the result is kept, all others are summed. A label that
 * an operand has twice is its diagonal. "..." stands for dims that broadcast. Without "->" the result has "..." and the labels that
 * stand once, in alphabetical order.
 * @shape as the equation says
 * @numerics Operands are contracted from left to right, two at a time; a sum over shared labels is one matmul, whose order it has. A
 *   label that no other operand and not the result has is summed first.
 * @throws {ValueError} E_EINSUM for text that is no equation; {ShapeError} E_SHAPE where it does not fit; {DTypeError} E_DTYPE unless all
 *   are f32.
 * @source numpy.einsum, torch.einsum, without a search for a cheaper order
 * @example
 * einsum("ij,j->i", tensor([[1, 2], [3, 4]]), tensor([1, 10])).toArraySync(); // => [21, 43]
 * einsum("ii", tensor([[1, 2], [3, 4]])).itemSync(); // => 5
 */
export function einsum(equation: string, ...operands: Tensor[]): Tensor {
  if (operands.length === 0) {
    throw new ValueError(`einsum: the equation is "${equation}" and there are no operands; at least one is needed.`, {
      equation,
    });
  }
  operands.forEach(({ dtype }, i) => {
    if (dtype !== "f32") {
      throw new DTypeError(`einsum: operand ${i} is ${dtype}; it must be f32. Use cast("f32").`, { operand: i, dtype });
    }
  });
  const read = readEquation(
    equation,
    operands.map(({ shape }) => shape),
  );
  const named = operands.map((operand, i) => fullSize(withoutRepeats(operand, read.operands[i]!), read));
  const result = named.reduce((left, right, i) => contract(left, right, neededAfter(read, i)));
  return order(sumOut(result, new Set(read.output)), read.output);
}

/** Labels that the result or an operand behind `i` has. */
function neededAfter({ operands, output }: EinsumEquation, i: number): ReadonlySet<Label> {
  return new Set([...output, ...operands.slice(i + 1).flat()]);
}

/** A label that stands twice names the diagonal of its two dims. */
function withoutRepeats(tensor: Tensor, labels: readonly Label[]): Labelled {
  const second = labels.findIndex((label, i) => labels.indexOf(label) !== i);
  if (second < 0) return { tensor, labels };
  const first = labels.indexOf(labels[second]!);
  const label = labels[second]!;
  if (tensor.shape[first] !== tensor.shape[second]) {
    throw new ShapeError(
      `einsum: "${label}" names two dims of an operand of shape ${formatShape(tensor.shape)}; both must have one size.`,
      { label, shape: tensor.shape },
    );
  }
  const rest = labels.filter((_, i) => i !== first && i !== second);
  return withoutRepeats(diagonal(tensor, { axes: [first, second] }), [...rest, label]);
}

/** Dims of size 1 stretched to the size that the label has elsewhere. */
function fullSize({ tensor, labels }: Labelled, { sizes }: EinsumEquation): Labelled {
  return {
    tensor: expand(
      tensor,
      labels.map((label) => sizes.get(label)!),
    ),
    labels,
  };
}

function sumOut({ tensor, labels }: Labelled, kept: ReadonlySet<Label>): Labelled {
  const axes = labels.map((_, i) => i).filter((i) => !kept.has(labels[i]!));
  if (axes.length === 0) return { tensor, labels };
  return { tensor: sum(tensor, axes), labels: labels.filter((label) => kept.has(label)) };
}

function order({ tensor, labels }: Labelled, wanted: readonly Label[]): Tensor {
  return permute(
    tensor,
    wanted.map((label) => labels.indexOf(label)),
  );
}

/** left * right, summed over the labels that both have and nobody needs: [batch, rows, K] x [batch, K, columns]. */
function contract(a: Labelled, b: Labelled, needed: ReadonlySet<Label>): Labelled {
  const left = sumOut(a, new Set([...needed, ...b.labels]));
  const right = sumOut(b, new Set([...needed, ...a.labels]));
  const shared = left.labels.filter((label) => right.labels.includes(label));
  const batch = shared.filter((label) => needed.has(label));
  const summed = shared.filter((label) => !needed.has(label));
  const rows = left.labels.filter((label) => !shared.includes(label));
  const columns = right.labels.filter((label) => !shared.includes(label));
  const sizeOf = ({ tensor, labels }: Labelled, names: readonly Label[]) =>
    names.map((label) => tensor.shape[labels.indexOf(label)]!);
  const sizes = [...sizeOf(left, batch), ...sizeOf(left, rows), ...sizeOf(right, columns)];
  const seen = ({ tensor, labels }: Labelled, groups: readonly (readonly Label[])[]) =>
    reshape(
      order({ tensor, labels }, groups.flat()),
      groups.map((names) => numElements(sizeOf({ tensor, labels }, names))),
    );
  const x = seen(left, [batch, rows, summed]);
  const y = seen(right, [batch, summed, columns]);
  const product = summed.length === 0 ? mul(x, y) : matmul(x, y);
  return { tensor: reshape(product, sizes), labels: [...batch, ...rows, ...columns] };
}

/**
 * Sums products over pairs of axes: the last `axes` of a with the first of b, or the two lists, in order.
 * @shape a [p, q, r], b [q, r, s], 2 -> [p, s]
 * @throws {ShapeError} E_SHAPE when paired axes differ in number or size, E_AXIS; {DTypeError} E_DTYPE unless both are f32.
 * @source numpy.tensordot, torch.tensordot
 * @example
 * tensorDot(tensor([[1, 2]]), tensor([[3], [4]]), 1).toArraySync(); // => [[11]]
 */
export function tensorDot(
  a: Tensor,
  b: Tensor,
  axes: number | readonly [readonly number[], readonly number[]] = 2,
): Tensor {
  const [ofA, ofB] = pairedAxes(a, b, axes);
  const others = (x: Tensor, used: readonly number[]) => x.shape.map((_, i) => i).filter((i) => !used.includes(i));
  const sizesOf = (x: Tensor, list: readonly number[]) => list.map((axis) => x.shape[axis]!);
  const [rows, columns] = [others(a, ofA), others(b, ofB)];
  const count = numElements(sizesOf(a, ofA));
  const left = reshape(permute(a, [...rows, ...ofA]), [numElements(sizesOf(a, rows)), count]);
  const right = reshape(permute(b, [...ofB, ...columns]), [count, numElements(sizesOf(b, columns))]);
  return reshape(matmul(left, right), [...sizesOf(a, rows), ...sizesOf(b, columns)]);
}

function pairedAxes(
  a: Tensor,
  b: Tensor,
  axes: number | readonly [readonly number[], readonly number[]],
): readonly [readonly number[], readonly number[]] {
  if (typeof axes === "number" && !(Number.isInteger(axes) && axes >= 0 && axes <= Math.min(a.numDims, b.numDims))) {
    throw new ShapeError(
      `tensorDot: axes is ${axes}, but a is ${formatShape(a.shape)} and b is ${formatShape(b.shape)}; it must be a whole number of at least 0 and at most the dims of each.`,
      { axes, a: a.shape, b: b.shape },
    );
  }
  const count = typeof axes === "number" ? Array.from({ length: axes }, (_, i) => i) : [];
  const lists = typeof axes === "number" ? [count.map((i) => a.numDims - axes + i), count] : axes;
  const [ofA, ofB] = [a, b].map((x, k) => lists[k]!.map((axis) => normalizeAxis("tensorDot", axis, x.numDims))) as [
    number[],
    number[],
  ];
  const isPaired = ofA.length === ofB.length && ofA.every((axis, i) => a.shape[axis] === b.shape[ofB[i]!]);
  if (!isPaired || new Set(ofA).size !== ofA.length || new Set(ofB).size !== ofB.length) {
    throw new ShapeError(
      `tensorDot: axes ${formatShape(ofA)} of a ${formatShape(a.shape)} go with axes ${formatShape(ofB)} of b ${formatShape(b.shape)}; there must be as many, each once, of equal sizes.`,
      { ofA, ofB, a: a.shape, b: b.shape },
    );
  }
  return [ofA, ofB];
}
