/**
 * @file Micro-batches computed elsewhere than in the CPU backend's memory: on a GPU, by a thread of its own (node/device-thread.ts).
 *
 * The model that is trained stays in CPU memory: updates, hashes, checkpoints and evaluation are the strict kernels' (L2). A device
 * holds a copy of the parameters, brought level before the first micro-batch of a step, and gives back gradients, one after another,
 * while its backward pass goes on.
 */
import {
  assertFiniteGradient,
  assertFiniteLoss,
  type CpuBackend,
  hashText,
  type Tensor,
  type TensorView,
  type TrainingPlace,
  withBackend,
} from "@lockstep/core";
import type { Training } from "./build-training.js";
import type { MicroBatchSum, ProbeResult } from "./compute-engine.js";
import type { FoldTarget } from "./micro-batch.js";
import { modelTensors } from "./training-state.js";

/** Where the numbers of one micro-batch go: a flat vector in CPU memory, laid out like the gradient. */
export interface DeviceTarget {
  readonly backend: CpuBackend;
  readonly training: Training;
  /** Receives the gradient, entry by entry. */
  readonly landing: Tensor;
}

/** What a device tells of a micro-batch while it computes. */
export interface DeviceListener {
  /** Once, first. */
  readonly onLoss: (loss: number, weight: number) => void;
  /** Entry `index` of the layout lies in the landing vector; `isThere` false stands for zeros, and nothing was written. */
  readonly onEntry: (index: number, isThere: boolean) => void;
}

export interface MicroBatchDevice {
  readonly numericClass: `webgpu:${string}`;
  /** Called once, before anything is computed. */
  attach(target: DeviceTarget): void;
  /** The parameters or buffers in CPU memory have changed. */
  invalidate(): void;
  /**
   * Forward and backward of a micro-batch, with what `invalidate` told of brought level first. Returns when all is told.
   *
   * @param stepIndex 0-based.
   * @param lossScale what the loss is multiplied by before it goes backward: the gradients come with it, loss and statistics without.
   * @throws what the job's functions throw; {BackendError} E_DEVICE, E_DEVICE_LOST.
   */
  train(
    at: { readonly stepIndex: number; readonly microBatch: number; readonly lossScale: number },
    listener: DeviceListener,
  ): void;
  dispose(): void;
}

/** A device, and where its gradients land. */
export interface AttachedDevice {
  readonly device: MicroBatchDevice;
  readonly landing: Tensor;
  readonly backend: CpuBackend;
}

/** `trainMicroBatch` with a device. @throws {NotFiniteError} E_NOT_FINITE as there. */
export function trainOnDevice(
  { device, landing, backend }: AttachedDevice,
  training: Training,
  { place, target }: { readonly place: TrainingPlace; readonly target: FoldTarget },
): MicroBatchSum {
  const { layout } = training;
  const m = place.microBatch!;
  let result: MicroBatchSum | undefined;
  let fold: ReturnType<FoldTarget["stack"]["leaf"]> | undefined;
  device.train(
    { stepIndex: place.step! - 1, microBatch: m, lossScale: 1 },
    {
      onLoss: (loss, weight) => {
        assertFiniteLoss(loss, place);
        fold = target.stack.leaf(weight);
        result = [m, loss, weight];
      },
      onEntry: (index, isThere) => {
        const own = isThere ? undefined : withBackend(backend, () => ownStatistics(training, index));
        const view = isThere ? entryOf(training, landing, index) : own;
        if (view !== undefined) {
          assertFiniteGradient(backend, view, { ...place, parameter: layout.parameters[index]!.name });
        }
        fold!.add(index, view);
        own?.dispose();
        target.onParameter?.(index, fold!);
      },
    },
  );
  fold!.finish();
  return result!;
}

/** The probe of a device: initial weights as they are in CPU memory, loss and gradients of micro-batch 0 as the device gives them. */
export function probeDevice(
  { device, landing, backend }: AttachedDevice,
  training: Training,
): ProbeResult["tensors"][number][] {
  const hashes: ProbeResult["tensors"][number][] = [];
  device.train(
    { stepIndex: 0, microBatch: 0, lossScale: 1 },
    {
      onLoss: (loss, weight) => hashes.push({ name: "the loss", hash: hashText(backend, `${loss} ${weight}`) }),
      onEntry: (index, isThere) => {
        if (!isThere) return;
        const { name } = training.layout.parameters[index]!;
        hashes.push({
          name: `the gradient of ${name}`,
          hash: backend.kernels.hash([entryOf(training, landing, index)]),
        });
      },
    },
  );
  return hashes;
}

/** What a device copies: address and words of every parameter and buffer, in registration order. */
export function deviceTensors(training: Training): readonly Tensor[] {
  return modelTensors(training).map(([, tensor]) => tensor);
}

/** Entry `index` of the layout in the landing vector. */
export function entryOf({ layout }: Training, landing: Tensor, index: number): TensorView {
  const { offset, length } = layout.parameters[index]!;
  return { buffer: landing.buffer, offset: landing.offset + offset, shape: [length], strides: [1], dtype: "f32" };
}

/** What the CPU side itself emitted for an entry: the held-out loss of a plateau, which no device computes. */
export function ownStatistics({ parameters, statistics }: Training, index: number): Tensor | undefined {
  return statistics[index - parameters.length]?.takeStatistics();
}
