/** @file What losses check of their arguments before they compute. Values are read only where the backend can read at once. */
import { withBackend } from "../backend/current-backend.js";
import { DTypeError, ShapeError, ValueError } from "../errors.js";
import { cast } from "../ops/compare.js";
import { tensor } from "../tensor/create.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";

/** @throws {DTypeError} E_DTYPE unless all are f32. */
export function assertFloats(where: string, named: Readonly<Record<string, Tensor>>): void {
  for (const [name, { dtype }] of Object.entries(named)) {
    if (dtype === "f32") continue;
    throw new DTypeError(`${where}: ${name} is ${dtype}; it must be f32. Use cast("f32").`, { [name]: dtype });
  }
}

/** No broadcasting: it hides mistakes. @throws {ShapeError} E_SHAPE with both shapes unless all are equal; {DTypeError} E_DTYPE. */
export function assertAlike(where: string, named: Readonly<Record<string, Tensor>>): void {
  assertFloats(where, named);
  assertSameShape(where, named);
}

/** @throws {ShapeError} E_SHAPE with both shapes unless all are equal. */
export function assertSameShape(where: string, named: Readonly<Record<string, Tensor>>): void {
  const [[firstName, first], ...others] = Object.entries(named) as [[string, Tensor], ...[string, Tensor][]];
  for (const [name, { shape }] of others) {
    if (shapesEqual(shape, first.shape)) continue;
    throw new ShapeError(
      `${where}: ${firstName} is ${formatShape(first.shape)} and ${name} ${formatShape(shape)}; they must be equal.`,
      { [firstName]: first.shape, [name]: shape },
    );
  }
}

/** @throws {ValueError} E_VALUE unless the option is a finite number, above 0 or at least 0. */
export function assertOption(where: string, [name, value]: readonly [string, number], rule: "> 0" | ">= 0"): void {
  if (Number.isFinite(value) && (rule === "> 0" ? value > 0 : value >= 0)) return;
  throw new ValueError(`${where}: ${name} is ${value}; it must be a finite number ${rule}.`, { [name]: value });
}

/** @throws {ValueError} E_TARGET_RANGE with the first element that is not as `rule` says. NaN is not. */
export function assertElements(
  where: string,
  [name, x]: readonly [string, Tensor],
  { rule, holds }: { readonly rule: string; readonly holds: (value: number) => boolean },
): void {
  if (x.backend.readSync === undefined) return;
  const position = x.backend.readSync(x).findIndex((value) => !holds(value));
  if (position < 0) return;
  const value = x.backend.readSync(x)[position]!;
  throw new ValueError(
    `${where}: ${name} at position ${position} is ${value}; it must be ${rule}.`,
    { position, value },
    "E_TARGET_RANGE",
  );
}

/** Labels that are 1 or -1, i32 or f32, as f32. @throws {ValueError} E_TARGET_RANGE with the first that is neither. */
export function signLabels(where: string, labels: Tensor): Tensor {
  assertElements(where, ["the label", labels], { rule: "1 or -1", holds: (value) => value === 1 || value === -1 });
  return cast(labels.detach(), "f32");
}

/** Weights of classes, given as a list or as a tensor [numClasses]. */
export type ClassWeights = Tensor | readonly number[];

/**
 * Checked class weights as a tensor beside `x`; no gradient goes to them.
 * @throws {ShapeError} E_SHAPE for another length; {ValueError} E_VALUE for a weight that is negative or not finite.
 */
export function classWeightsBeside(
  where: string,
  x: Tensor,
  { weights, numClasses }: { readonly weights: ClassWeights; readonly numClasses: number },
): Tensor {
  const shape = "shape" in weights ? weights.shape : [weights.length];
  if (!shapesEqual(shape, [numClasses])) {
    throw new ShapeError(
      `${where}: classWeights are ${formatShape(shape)}, but there are ${numClasses} classes; they must be ${formatShape([numClasses])}.`,
      { classWeights: shape, numClasses },
    );
  }
  const asTensor = "shape" in weights ? weights : withBackend(x.backend, () => tensor([...weights]));
  assertFloats(where, { classWeights: asTensor });
  const values = asTensor.backend.readSync?.(asTensor) ?? [];
  for (const [index, value] of values.entries()) {
    if (Number.isFinite(value) && value >= 0) continue;
    throw new ValueError(`${where}: classWeights[${index}] is ${value}; it must be a finite number >= 0.`, {
      index,
      value,
    });
  }
  return asTensor.detach();
}
