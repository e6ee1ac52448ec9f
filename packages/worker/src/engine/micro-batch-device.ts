/**
 * @file Micro-batches computed elsewhere than in the CPU backend's memory: on a GPU, by a thread of its own (node/device-thread.ts).
 *
 * The model that is trained stays in CPU memory: updates, hashes, checkpoints and evaluation are the strict kernels' (L2). A device
 * holds a copy of the parameters, brought level before the first micro-batch of a step, sums the micro-batches of a node where they are, and
 * gives back the node's sum, entry by entry, while its last backward pass goes on.
 */
import {
  assertFiniteGradient,
  assertFiniteLoss,
  type CpuBackend,
  hashText,
  type LeafFold,
  type NodeStack,
  type NodeSum,
  type Tensor,
  type TensorView,
  type TrainingPlace,
  withBackend,
} from "@lockstep/core";
import type { Training } from "./build-training.js";
import type { EngineNotice, MicroBatchSum, NodeRange, ProbeResult } from "./compute-engine.js";
import type { FoldTarget } from "./micro-batch.js";
import type { ReducedOnDevice, UpdatedOnDevice } from "./mirror-update.js";

/** What a device is brought level with, in CPU memory. */
export interface DeviceSource {
  readonly backend: CpuBackend;
  readonly training: Training;
}

/** What a device tells of a micro-batch while it computes. */
export interface DeviceListener {
  /** Once, first. */
  readonly onLoss: (loss: number, weight: number) => void;
  /**
   * After the last micro-batch of a node: entry `index` of its sum lies in the target. `isThere` false: nothing of the node reached it, and it
   * is zeros.
   */
  readonly onEntry: (index: number, isThere: boolean) => void;
}

/** A micro-batch, as part of a node of the tree. */
export interface DeviceStep {
  /** 0-based. */
  readonly stepIndex: number;
  /** The first of the node, or the one after the last that was computed of it. */
  readonly microBatch: number;
  readonly node: NodeRange;
  /** Receives the node's sum, laid out like the gradient. */
  readonly target: Tensor;
  /** What the loss is multiplied by before it goes backward: the gradients come with it, loss and statistics without. Default 1. */
  readonly lossScale?: number;
}

export interface MicroBatchDevice {
  readonly numericClass: `webgpu:${string}`;
  /** Called once, before anything is computed. */
  attach(source: DeviceSource): void;
  /** The parameters or buffers in CPU memory have changed. */
  invalidate(): void;
  /**
   * Forward and backward of a micro-batch, with what `invalidate` told of brought level first. Returns when all is told.
   *
   * @throws what the job's functions throw; {BackendError} E_DEVICE, E_DEVICE_LOST.
   */
  train(step: DeviceStep, listener: DeviceListener): void;
  /** Finished subtrees of the node that the last `train` belonged to; the node ends with it. */
  take(subtrees: readonly { readonly node: NodeRange; readonly target: Tensor }[]): void;
  /** Takes whole steps, where the device may. */
  readonly updater?: DeviceUpdater;
  /** What happened since the last call and went on all the same: a device that was lost and opened anew. */
  takeNotices(): readonly EngineNotice[];
  dispose(): void;
}

/**
 * Whole steps on a device, for a worker that is alone: the gradient stays there, and so does the state that it makes, until CPU memory is
 * brought level by `fetch`.
 */
export interface DeviceUpdater {
  /** Brings the whole state of the device level with CPU memory. */
  push(): void;
  /** As `train` of the node of all micro-batches; only losses are told. */
  train(step: Omit<DeviceStep, "target">, onLoss: DeviceListener["onLoss"]): void;
  /**
   * Divides the gradient by the step's weight.
   *
   * @returns its hash, and the first element of the flat vector that is not finite, or -1.
   */
  reduce(weight: number): ReducedOnDevice;
  /** Takes the step. @param stepIndex 0-based. */
  update(stepIndex: number): UpdatedOnDevice;
  /** Brings CPU memory level with the device. */
  fetch(): void;
}

/** A device, and where the gradient of a single micro-batch lands. */
export interface AttachedDevice {
  readonly device: MicroBatchDevice;
  readonly landing: Tensor;
  readonly backend: CpuBackend;
}

/** A micro-batch on its way into the node that the device sums. */
export interface DeviceNode {
  readonly range: NodeRange;
  /** Adds the weights in tree order; its vectors are empty. */
  readonly weights: NodeStack;
  /** Receives the sum. */
  readonly vector: Tensor;
  /** Told of each entry of the sum, after the last micro-batch. */
  readonly onParameter?: ((index: number, sum: Pick<NodeSum, "vector" | "weight">) => void) | undefined;
}

/**
 * `trainMicroBatch` by a device that sums the node.
 *
 * @throws {NotFiniteError} E_NOT_FINITE as there, with the micro-batch that is to blame.
 */
export function trainOnDevice(
  attached: AttachedDevice,
  training: Training,
  { place, node }: { readonly place: TrainingPlace; readonly node: DeviceNode },
): MicroBatchSum {
  const { device, backend } = attached;
  const { range, weights, vector } = node;
  const m = place.microBatch!;
  let result: MicroBatchSum | undefined;
  let leaf: LeafFold | undefined;
  const onLoss = (loss: number, weight: number): void => {
    assertFiniteLoss(loss, place);
    leaf = weights.leaf(weight);
    result = [m, loss, weight];
  };
  const onEntry = (index: number): void => {
    const parameter = training.layout.parameters[index]!.name;
    try {
      assertFiniteGradient(backend, entryOf(training, vector, index), { ...place, parameter });
    } catch (error) {
      throw new NotFiniteSum(error);
    }
    node.onParameter?.(index, { vector, weight: leaf!.weight });
  };
  try {
    device.train({ stepIndex: place.step! - 1, microBatch: m, node: range, target: vector }, { onLoss, onEntry });
  } catch (error) {
    if (!(error instanceof NotFiniteSum)) throw error;
    assertFiniteLeaves(attached, training, { place, range });
    throw error.cause;
  }
  leaf!.finish();
  return result!;
}

/** Carries what a listener throws past the device. */
class NotFiniteSum extends Error {
  constructor(cause: unknown) {
    super("the sum of a node is not finite", { cause });
  }
}

/** Computes the micro-batches of a node one by one. @throws {NotFiniteError} E_NOT_FINITE for the first with a gradient that is not finite. */
export function assertFiniteLeaves(
  attached: AttachedDevice,
  training: Training,
  { place, range }: { readonly place: TrainingPlace; readonly range: NodeRange },
): void {
  for (let microBatch = range.lo; microBatch < range.hi; microBatch++) {
    trainAlone(attached, training, { ...place, microBatch }, () => {});
  }
}

/** A micro-batch that is a node of its own, into the landing vector. */
function trainAlone(
  { device, landing, backend }: AttachedDevice,
  training: Training,
  place: TrainingPlace,
  listener: (
    told: { readonly loss: number; readonly weight: number } | { readonly index: number; readonly isThere: boolean },
  ) => void,
): void {
  const microBatch = place.microBatch!;
  const node = { lo: microBatch, hi: microBatch + 1 };
  const onLoss = (loss: number, weight: number): void => {
    assertFiniteLoss(loss, place);
    listener({ loss, weight });
  };
  const onEntry = (index: number, isThere: boolean): void => {
    const parameter = training.layout.parameters[index]!.name;
    assertFiniteGradient(backend, entryOf(training, landing, index), { ...place, parameter });
    listener({ index, isThere });
  };
  device.train({ stepIndex: place.step! - 1, microBatch, node, target: landing }, { onLoss, onEntry });
}

/** `trainMicroBatch` by a device, folded into the node in CPU memory: where a part of the gradient is the CPU's own. */
export function trainBesideDevice(
  attached: AttachedDevice,
  training: Training,
  { place, target }: { readonly place: TrainingPlace; readonly target: FoldTarget },
): MicroBatchSum {
  let result: MicroBatchSum | undefined;
  let fold: LeafFold | undefined;
  trainAlone(attached, training, place, (told) => {
    if ("loss" in told) {
      fold = target.stack.leaf(told.weight);
      result = [place.microBatch!, told.loss, told.weight];
      return;
    }
    foldEntry(attached, training, { ...told, place, fold: fold! });
    target.onParameter?.(told.index, fold!);
  });
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
    { stepIndex: 0, microBatch: 0, node: { lo: 0, hi: 1 }, target: landing },
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

/** Entry `index` of the layout in the landing vector. */
export function entryOf({ layout }: Training, landing: Tensor, index: number): TensorView {
  const { offset, length } = layout.parameters[index]!;
  return { buffer: landing.buffer, offset: landing.offset + offset, shape: [length], strides: [1], dtype: "f32" };
}

/** Folds an entry that landed; of one that nothing reached, what the CPU side itself emitted: the held-out loss of a plateau. */
export function foldEntry(
  { backend, landing }: AttachedDevice,
  training: Training,
  {
    index,
    isThere,
    place,
    fold,
  }: { readonly index: number; readonly isThere: boolean; readonly place: TrainingPlace; readonly fold: LeafFold },
): void {
  if (isThere) {
    fold.add(index, entryOf(training, landing, index));
    return;
  }
  const { parameters, statistics, layout } = training;
  const own = withBackend(backend, () => statistics[index - parameters.length]?.takeStatistics());
  if (own !== undefined) assertFiniteGradient(backend, own, { ...place, parameter: layout.parameters[index]!.name });
  fold.add(index, own);
  own?.dispose();
}
