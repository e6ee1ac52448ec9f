/** @file Legend: B batch, T sequence. */
import { currentBackend, ge, type nn, ShapeError, Tensor, tensor, ValueError, withBackend } from "@lockstep/core";

export interface PaddingMaskOptions {
  /** Who asks, for errors. Default "paddingMask". */
  readonly where?: string;
  /** How many lengths there must be. Default: any number. */
  readonly batch?: number;
}

/**
 * 1 at the places past each sequence's length, as attention layers take it.
 *
 * @shape lengths B numbers -> [B, T] i32
 * @throws {ShapeError} E_SHAPE when there are not `batch` lengths. {ValueError} E_SEQUENCE_LENGTH for a length outside 1..T.
 * @source none: ours
 * @example
 * paddingMask([1, 3], 3).toArraySync(); // => [[0, 1, 1], [0, 0, 0]]
 */
export function paddingMask(
  lengths: nn.SequenceLengths,
  numSteps: number,
  { where = "paddingMask", batch }: PaddingMaskOptions = {},
): Tensor {
  const given = lengths instanceof Tensor ? lengths.dataSync() : lengths;
  assertLengths(given, numSteps, { where, batch: batch ?? given.length });
  return withBackend(lengths instanceof Tensor ? lengths.backend : currentBackend(), () => {
    const column = tensor(Int32Array.from(given), { shape: [given.length, 1] });
    const steps = tensor(
      Int32Array.from({ length: numSteps }, (_, t) => t),
      { shape: [1, numSteps] },
    );
    return ge(steps, column);
  });
}

function assertLengths(
  lengths: ArrayLike<number>,
  numSteps: number,
  { where, batch }: Required<PaddingMaskOptions>,
): void {
  if (lengths.length !== batch) {
    throw new ShapeError(
      `${where}: there are ${lengths.length} lengths and ${batch} sequences; there must be one for each.`,
      { lengths: lengths.length, batch },
    );
  }
  const isLength = (length: number): boolean => Number.isInteger(length) && length >= 1 && length <= numSteps;
  const position = Array.from(lengths).findIndex((length) => !isLength(length));
  if (position < 0) return;
  throw new ValueError(
    `${where}: the length at position ${position} is ${lengths[position]}; it must be a whole number in 1..${numSteps}, the steps of a row.`,
    { position, length: lengths[position], steps: numSteps },
    "E_SEQUENCE_LENGTH",
  );
}
