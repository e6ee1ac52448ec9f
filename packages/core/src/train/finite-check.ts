/** @file Errors for values that are not finite (L6): they name the step, the micro-batch and the first parameter. */
import type { Backend, TensorView } from "../backend/backend.js";
import { LockstepError } from "../errors.js";
import type { FlatLayout } from "./flat-layout.js";
import { parameterAt } from "./flat-layout.js";

/** Where in a run a value stands; what is unknown stays out of the text. */
export interface TrainingPlace {
  /** As on the wire: 1-based. */
  readonly step?: number;
  readonly microBatch?: number;
  readonly workerId?: string;
}

/** A loss or a gradient is NaN or infinite. */
export class NotFiniteError extends LockstepError {
  constructor(message: string, fields: Readonly<Record<string, unknown>>) {
    super("E_NOT_FINITE", message, fields);
  }
}

/** @throws {NotFiniteError} E_NOT_FINITE when the loss of a micro-batch is NaN or infinite. @source none: ours. */
export function assertFiniteLoss(loss: number, place: TrainingPlace): void {
  if (Number.isFinite(loss)) return;
  throw new NotFiniteError(
    `loss: the loss is ${loss}${placeText(place)}; it must be finite. Lower the learning rate, set maxGradNorm, or check the data of this micro-batch.`,
    { value: String(loss), ...place },
  );
}

/** @throws {NotFiniteError} E_NOT_FINITE naming the parameter, when an element of its gradient is NaN or infinite. @source none: ours. */
export function assertFiniteGradient(
  backend: Backend,
  gradient: TensorView,
  where: TrainingPlace & { readonly parameter: string },
): void {
  const element = backend.kernels.findNonFinite(gradient);
  if (element < 0) return;
  throw notFiniteGradient(where.parameter, element, where);
}

/** As `assertFiniteGradient`, for a whole flat vector: the first parameter in flat order is named. @source none: ours. */
export function assertFiniteVector(
  backend: Backend,
  vector: TensorView,
  where: TrainingPlace & { readonly layout: FlatLayout },
): void {
  const index = backend.kernels.findNonFinite(vector);
  if (index < 0) return;
  const { layout, ...place } = where;
  const { parameter, element } = parameterAt(layout, index);
  throw notFiniteGradient(parameter.name, element, place);
}

function notFiniteGradient(parameter: string, element: number, place: TrainingPlace): NotFiniteError {
  return new NotFiniteError(
    `gradient: element ${element} of the gradient of "${parameter}" is not finite${placeText(place)}; every gradient must be. Lower the learning rate, set maxGradNorm, or check the loss.`,
    { element, ...place, parameter },
  );
}

function placeText(place: TrainingPlace): string {
  const parts: string[] = [];
  if (place.step !== undefined) parts.push(`step ${place.step}`);
  if (place.microBatch !== undefined) parts.push(`micro-batch ${place.microBatch}`);
  if (place.workerId !== undefined) parts.push(`worker "${place.workerId}"`);
  return parts.length === 0 ? "" : ` at ${parts.join(", ")}`;
}
