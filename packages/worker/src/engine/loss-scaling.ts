/**
 * @file A micro-batch on a device that stores in 16 bits: its loss is scaled up before it goes backward, so that small gradients do not vanish,
 * and its gradients are scaled down here, in f32, where a power of two is exact.
 *
 * A gradient that overflows is computed again at half the scale, until it does not: no step is skipped (L3) and nothing is silent (L6).
 * Nothing is folded before all of it is finite, for a fold cannot be taken back.
 */
import {
  assertFiniteGradient,
  assertFiniteLoss,
  elementwiseProgram,
  expr,
  NotFiniteError,
  type TrainingPlace,
} from "@lockstep/core";
import type { Training } from "./build-training.js";
import type { MicroBatchSum } from "./compute-engine.js";
import type { FoldTarget } from "./micro-batch.js";
import { type AttachedDevice, entryOf, foldEntry, type MicroBatchDevice } from "./micro-batch-device.js";

const unscale = elementwiseProgram("unscale", ["f32"], [expr.mul(expr.input(0), expr.scalar(0))], 1);

/** Which micro-batch, where its gradient is folded, and how its loss is scaled. */
export interface ScaledMicroBatch {
  readonly place: TrainingPlace;
  readonly target: FoldTarget;
  readonly lossScale: number;
  /** Told of the scale at which the gradient was finite, where it was not at `lossScale`. */
  readonly onOverflow: (lossScale: number) => void;
}

/** Whether a device is of a class that scales its loss. */
export function storesHalves({ numericClass }: Pick<MicroBatchDevice, "numericClass">): boolean {
  return numericClass.endsWith(":f16");
}

/** What a device gave of a micro-batch, in the landing vector. */
interface Landed {
  readonly loss: number;
  readonly weight: number;
  readonly entries: readonly { readonly index: number; readonly isThere: boolean }[];
  /** Of the first gradient that is not finite. */
  readonly overflow: NotFiniteError | undefined;
}

/**
 * `trainBesideDevice` with a scaled loss.
 *
 * @throws {NotFiniteError} E_NOT_FINITE for a loss or a statistic, on which the scale has no influence, and for a gradient that is not finite at scale 1
 *   either.
 */
export function trainScaled(
  attached: AttachedDevice,
  training: Training,
  { place, target, lossScale, onOverflow }: ScaledMicroBatch,
): MicroBatchSum {
  let scale = lossScale;
  let landed = land(attached, training, { place, lossScale: scale });
  while (landed.overflow !== undefined) {
    if (scale === 1) throw withScales(landed.overflow, lossScale);
    scale /= 2;
    landed = land(attached, training, { place, lossScale: scale });
  }
  if (scale !== lossScale) onOverflow(scale);
  fold(attached, training, { landed, place, target, scale });
  return [place.microBatch!, landed.loss, landed.weight];
}

function land(
  { device, landing, backend }: AttachedDevice,
  training: Training,
  { place, lossScale }: { readonly place: TrainingPlace; readonly lossScale: number },
): Landed {
  const { layout, parameters } = training;
  const m = place.microBatch!;
  const entries: { index: number; isThere: boolean }[] = [];
  let found = { loss: 0, weight: 0 };
  let overflow: NotFiniteError | undefined;
  device.train(
    { stepIndex: place.step! - 1, microBatch: m, node: { lo: m, hi: m + 1 }, target: landing, lossScale },
    {
      onLoss: (loss, weight) => {
        assertRepresentable(loss, place);
        found = { loss, weight };
      },
      onEntry: (index, isThere) => {
        entries.push({ index, isThere });
        if (!isThere || overflow !== undefined) return;
        try {
          const { name } = layout.parameters[index]!;
          assertFiniteGradient(backend, entryOf(training, landing, index), { ...place, parameter: name });
        } catch (error) {
          if (!(error instanceof NotFiniteError) || index >= parameters.length) throw error;
          overflow = error;
        }
      },
    },
  );
  return { ...found, entries, overflow };
}

function fold(
  attached: AttachedDevice,
  training: Training,
  {
    landed,
    place,
    target,
    scale,
  }: Pick<ScaledMicroBatch, "place" | "target"> & {
    readonly landed: Landed;
    readonly scale: number;
  },
): void {
  const node = target.stack.leaf(landed.weight);
  for (const { index, isThere } of landed.entries) {
    if (isThere && scale !== 1 && index < training.parameters.length) {
      const view = entryOf(training, attached.landing, index);
      attached.backend.elementwise(unscale, [view], [1 / scale], [view]);
    }
    foldEntry(attached, training, { index, isThere, place, fold: node });
    target.onParameter?.(index, node);
  }
  node.finish();
}

const advice = "This worker stores numbers beyond 65,504 as infinities; use --precision f32 if the job needs them.";

/** No scale changes a loss. @throws {NotFiniteError} E_NOT_FINITE */
function assertRepresentable(loss: number, place: TrainingPlace): void {
  try {
    assertFiniteLoss(loss, place);
  } catch (error) {
    if (!(error instanceof NotFiniteError)) throw error;
    throw new NotFiniteError(`${error.message} ${advice}`, error.fields);
  }
}

function withScales(error: NotFiniteError, lossScale: number): NotFiniteError {
  const tried = lossScale === 1 ? "" : ` It was not finite at any loss scale from ${lossScale} down to 1.`;
  return new NotFiniteError(`${error.message}${tried} ${advice}`, { ...error.fields, lossScale });
}
