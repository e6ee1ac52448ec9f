/**
 * @file What the compute thread and the thread of a device say to each other. The compute thread waits without a loop of events: every
 * answer raises a word of shared memory, and is taken from the port by hand.
 */
import type { MessagePort } from "node:worker_threads";
import type { NodeRange } from "../engine/compute-engine.js";
import type { ReducedOnDevice, UpdatedOnDevice } from "../engine/mirror-update.js";
import type { ErrorReport } from "../errors.js";
import type { EngineSpec } from "./engine-spec.js";

export interface DeviceThreadData {
  readonly spec: EngineSpec;
  readonly memory: WebAssembly.Memory;
  readonly port: MessagePort;
  /** One word: how many answers were posted. */
  readonly posted: SharedArrayBuffer;
}

/** Words of the CPU backend's memory. */
export interface WordRange {
  readonly address: number;
  readonly length: number;
}

/** A micro-batch. Addresses are those of vectors that are laid out like the gradient. */
export interface TrainRequest {
  readonly kind: "train";
  readonly stepIndex: number;
  readonly microBatch: number;
  readonly node: NodeRange;
  readonly address: number;
  /** The sum stays on the device, and the address is not looked at. */
  readonly keeps: boolean;
  readonly lossScale: number;
  /** The parameters have changed since the last one. */
  readonly isStale: boolean;
}

export type DeviceRequest =
  | {
      readonly kind: "attach";
      /** Parameters, then buffers, in registration order; then what an update keeps. */
      readonly tensors: readonly WordRange[];
    }
  | TrainRequest
  | { readonly kind: "take"; readonly subtrees: readonly { readonly node: NodeRange; readonly address: number }[] }
  | { readonly kind: "push"; readonly counters: unknown }
  | { readonly kind: "reduce"; readonly weight: number }
  | { readonly kind: "update"; readonly stepIndex: number }
  | { readonly kind: "fetch" }
  | { readonly kind: "close" };

export type DeviceAnswer =
  | { readonly kind: "started"; readonly numericClass: `webgpu:${string}`; readonly description: string }
  | { readonly kind: "attached" }
  | { readonly kind: "loss"; readonly loss: number; readonly weight: number }
  | { readonly kind: "entry"; readonly index: number; readonly isThere: boolean }
  | { readonly kind: "trained" }
  | { readonly kind: "taken" }
  | { readonly kind: "pushed" }
  | { readonly kind: "reduced"; readonly result: ReducedOnDevice }
  | { readonly kind: "updated"; readonly result: UpdatedOnDevice }
  | { readonly kind: "fetched"; readonly counters: unknown }
  /** What a person must be told of, though the work goes on. */
  | { readonly kind: "notice"; readonly code: string; readonly message: string }
  | { readonly kind: "error"; readonly error: ErrorReport };
