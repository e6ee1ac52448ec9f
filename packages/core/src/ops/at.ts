/** @file NumPy's brackets as functions: `x.at(0, "1:3")` reads, `x.setAt([0, "1:3"], y)` and `x.addAt(...)` answer a changed copy. */
import { withBackend } from "../backend/current-backend.js";
import { DTypeError, ShapeError } from "../errors.js";
import { full } from "../tensor/create.js";
import { formatShape, numElements, type Shape, shapesEqual } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { add } from "./arithmetic.js";
import { expand } from "./expand-sum.js";
import { flipOp } from "./flip.js";
import { type Index, type IndexPicks, type IndexPlan, planIndices } from "./index-plan.js";
import { permute } from "./permute.js";
import { reshape } from "./reshape.js";
import { setSliceOp, sliceOp } from "./slice.js";
import { addRowsOp, putRowsOp, takeRowsOp } from "./take-rows.js";

/**
 * The part of x that the indices name, one for each dim from the left; what is not named is taken whole.
 *
 * A number drops its dim, also from the end (-1). "1:3", "::2", "::-1" are Python's ranges, ":" is the whole dim and "..." all dims not
 * named. null is a new dim. A list of numbers or an i32 tensor picks places; several of them broadcast and go together. Numbers, ranges
 * and new dims are a view where no step is negative; the rest is a copy. The gradient adds up where a place is picked twice.
 * A bool tensor, or a list of true and false, names the places where it is true, over as many dims as it has: the same as the columns of
 * `nonzero(mask)` as index tensors.
 * @shape [a, b, c], (0, "1:3") -> [2, c]; index tensors of [p] at dims 0 and 1 -> [p, c]
 * @throws {ShapeError} E_SHAPE for too many indices, index tensors that do not broadcast, a mask of another shape than its dims; {ValueError} E_INDEX_RANGE for an index
 *   outside, E_VALUE for text that is no range.
 * @source torch.Tensor.__getitem__. As there, numbers are taken before index tensors: NumPy moves dims to the front in x[0, :, ids].
 * @example
 * const x = tensor([[1, 2, 3], [4, 5, 6]]);
 * x.at(1, "::-1").toArraySync(); // => [6, 5, 4]
 * x.at("...", -1).toArraySync(); // => [3, 6]
 * x.at([1, 0, 1], [0, 2, 2]).toArraySync(); // => [4, 3, 6]
 * x.at(x.gt(4)).toArraySync(); // => [5, 6]
 * x.at(":", [true, false, true]).toArraySync(); // => [[1, 3], [4, 6]]
 */
export function at(x: Tensor, ...indices: Index[]): Tensor {
  const plan = planIndices("at", x, indices);
  const window = readWindow(x, plan);
  return plan.picks === undefined ? window : readPicks(window, plan.picks);
}

/**
 * A copy of x in which the part that the indices name is `values`, which broadcast to it. Where a place is named twice the last value
 * stays, and only it gets a gradient.
 * @shape x [a, b], values broadcast to the part -> [a, b]
 * @throws as `at`; {ShapeError} E_SHAPE when values do not broadcast; {DTypeError} E_DTYPE when they are of another dtype.
 * @source numpy's x[...] = values and jax's x.at[...].set(values), not in place
 * @example
 * tensor([1, 2, 3, 4]).setAt(["1:3"], 0).toArraySync(); // => [1, 0, 0, 4]
 */
export function setAt(x: Tensor, indices: readonly Index[], values: Tensor | number): Tensor {
  return writeAt(
    "setAt",
    { x, indices, values },
    (old, flat, rows) => putRowsOp.apply([old, flat, rows], undefined)[0]!,
  );
}

/**
 * A copy of x with `values`, which broadcast, added to the part that the indices name. Where a place is named several times all of
 * them are added: first to one another, in ascending order, then to x.
 * @shape x [a, b], values broadcast to the part -> [a, b]
 * @throws as `setAt`
 * @source numpy.add.at and jax's x.at[...].add(values), not in place
 * @example
 * tensor([0, 0, 0]).addAt([[0, 2, 2]], 1).toArraySync(); // => [1, 0, 2]
 */
export function addAt(x: Tensor, indices: readonly Index[], values: Tensor | number): Tensor {
  return writeAt("addAt", { x, indices, values, isSum: true }, (old, flat, rows) =>
    add(old, addRowsOp.apply([flat, rows], { size: old.shape[0]! })[0]!),
  );
}

type WriteRows = (old: Tensor, flat: Tensor, rows: Tensor) => Tensor;

interface Write {
  readonly x: Tensor;
  readonly indices: readonly Index[];
  readonly values: Tensor | number;
  /** Added to what is there. Default false: instead of it. */
  readonly isSum?: boolean;
}

function writeAt(where: string, { x, indices, values, isSum = false }: Write, writeRows: WriteRows): Tensor {
  const plan = planIndices(where, x, indices);
  const source =
    typeof values === "number" ? withBackend(x.backend, () => full([], values, { dtype: x.dtype })) : values;
  const { picks } = plan;
  checkValues(where, { x, source, part: picks === undefined ? plan.shape : pickedShape(plan.shape, picks) });
  if (picks !== undefined) {
    if (isSum && (x.dtype === "u8" || x.dtype === "bool")) {
      throw new DTypeError(
        `${where}: x is ${x.dtype}; at lists, masks and index tensors it must be f32 or i32. Use cast("i32").`,
        { x: x.dtype },
      );
    }
    const window = readWindow(x, plan);
    return writeWindow(x, plan, writePicks(window, { picks, source }, writeRows));
  }
  const part = expand(source, plan.shape);
  return writeWindow(x, plan, isSum ? add(readWindow(x, plan), part) : part);
}

function checkValues(
  where: string,
  { x, source, part }: { readonly x: Tensor; readonly source: Tensor; readonly part: Shape },
): void {
  if (source.dtype !== x.dtype) {
    throw new DTypeError(
      `${where}: x is ${x.dtype} and the values are ${source.dtype}; both must be the same. Use cast("${x.dtype}").`,
      { x: x.dtype, values: source.dtype },
    );
  }
  const lead = part.length - source.numDims;
  if (lead < 0 || source.shape.some((size, i) => size !== 1 && size !== part[lead + i])) {
    throw new ShapeError(
      `${where}: the values are ${formatShape(source.shape)}, but the indices name a part of shape ${formatShape(part)}; the values must broadcast to it.`,
      { values: source.shape, part },
    );
  }
}

function readWindow(x: Tensor, { window, backward, shape, isWhole }: IndexPlan): Tensor {
  let out = isWhole ? x : sliceOp.apply(x, window)[0]!;
  if (backward.length > 0) out = flipOp.apply([out], { axes: backward })[0]!;
  return shapesEqual(out.shape, shape) ? out : reshape(out, shape);
}

function writeWindow(x: Tensor, { window, backward, isWhole }: IndexPlan, part: Tensor): Tensor {
  let source = reshape(part, window.sizes);
  if (backward.length > 0) source = flipOp.apply([source], { axes: backward })[0]!;
  return isWhole && source.dtype === x.dtype ? source : setSliceOp.apply([x, source], window)[0]!;
}

/** The picked axes to the front, all others behind: the order of the rows that the flat places name. */
interface RowOrder {
  readonly axes: readonly number[];
  readonly picked: Shape;
  readonly rest: Shape;
}

function rowOrder(shape: Shape, { axes }: IndexPicks): RowOrder {
  const others = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  return { axes: [...axes, ...others], picked: axes.map((a) => shape[a]!), rest: others.map((a) => shape[a]!) };
}

function rowsOf(window: Tensor, { axes, picked, rest }: RowOrder): Tensor {
  return reshape(permute(window, axes), [numElements(picked), numElements(rest)]);
}

/** Where the picked dims stand in the result: at the first picked axis when all are side by side, else in front. */
function pickedPlace({ axes }: IndexPicks): number {
  return axes.every((axis, i) => axis === axes[0]! + i) ? axes[0]! : 0;
}

/** [picked..., rest...] with the picked dims moved to their place, as axes for permute. */
function resultOrder(picks: IndexPicks, numRest: number): number[] {
  const front = picks.shape.map((_, i) => i);
  const rest = Array.from({ length: numRest }, (_, i) => front.length + i);
  const place = pickedPlace(picks);
  return [...rest.slice(0, place), ...front, ...rest.slice(place)];
}

function pickedShape(shape: Shape, picks: IndexPicks): Shape {
  const { rest } = rowOrder(shape, picks);
  const moved = [...picks.shape, ...rest];
  return resultOrder(picks, rest.length).map((axis) => moved[axis]!);
}

function readPicks(window: Tensor, picks: IndexPicks): Tensor {
  const order = rowOrder(window.shape, picks);
  const rows = takeRowsOp.apply([rowsOf(window, order), picks.flat], undefined)[0]!;
  return permute(reshape(rows, [...picks.shape, ...order.rest]), resultOrder(picks, order.rest.length));
}

function writePicks(
  window: Tensor,
  { picks, source }: { readonly picks: IndexPicks; readonly source: Tensor },
  writeRows: WriteRows,
): Tensor {
  const order = rowOrder(window.shape, picks);
  const toResult = resultOrder(picks, order.rest.length);
  const part = permute(expand(source, pickedShape(window.shape, picks)), inverse(toResult));
  const rows = reshape(part, [picks.flat.size, numElements(order.rest)]);
  const written = writeRows(rowsOf(window, order), picks.flat, rows);
  return permute(reshape(written, [...order.picked, ...order.rest]), inverse(order.axes));
}

function inverse(axes: readonly number[]): number[] {
  return axes.map((_, i) => axes.indexOf(i));
}
