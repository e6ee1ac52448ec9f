/**
 * @file What the compute thread and the thread of a device say to each other. The compute thread waits without a loop of events: every
 * answer raises a word of shared memory, and is taken from the port by hand.
 */
import type { MessagePort } from "node:worker_threads";
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

export type DeviceRequest =
  | {
      readonly kind: "attach";
      /** Parameters, then buffers, in registration order. */
      readonly tensors: readonly WordRange[];
      /** Where each entry of the layout lands. */
      readonly entries: readonly WordRange[];
    }
  | {
      readonly kind: "train";
      readonly stepIndex: number;
      readonly microBatch: number;
      readonly lossScale: number;
      readonly isStale: boolean;
    }
  | { readonly kind: "close" };

export type DeviceAnswer =
  | { readonly kind: "started"; readonly numericClass: `webgpu:${string}`; readonly description: string }
  | { readonly kind: "attached" }
  | { readonly kind: "loss"; readonly loss: number; readonly weight: number }
  | { readonly kind: "entry"; readonly index: number; readonly isThere: boolean }
  | { readonly kind: "trained" }
  | { readonly kind: "error"; readonly error: ErrorReport };
