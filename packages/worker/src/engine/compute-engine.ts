/**
 * @file What a session asks of the side that computes: one model on one backend, on this thread or on another.
 *
 * Steps are as on the wire: step k >= 1 makes state k of state k - 1. Vectors lie in `memory`; addresses count bytes. A vector of a
 * node stays as it is until the step is applied or another step begins, so that an exchange may read it at any time until then.
 */
import type { MemoryPlan } from "./memory-plan.js";

/** Micro-batch, sum of its losses, its weight. */
export type MicroBatchSum = [microBatch: number, sum: number, weight: number];

/** A micro-batch of an evaluation: its sum, and what the job's metrics saw in it, if the job has any. */
export type EvaluatedMicroBatch = [microBatch: number, sum: number, weight: number, state?: Uint8Array<ArrayBuffer>];

export interface NodeRange {
  readonly lo: number;
  readonly hi: number;
}

/** One bucket of one node is final: floats [begin, end) of the vector at `address`. */
export interface ReadyBucket {
  readonly node: NodeRange;
  /** Sum of the weights of the node's micro-batches. */
  readonly weight: number;
  /** First byte of the node's whole vector. */
  readonly address: number;
  readonly bucket: number;
}

export interface EngineInfo {
  readonly numericClass: string;
  readonly layoutHash: string;
  /** Floats of the flat gradient. */
  readonly gradientFloats: number;
  /** Parameters in flat order. */
  readonly parameters: readonly { readonly name: string; readonly offset: number; readonly length: number }[];
  /** Steps may be taken on the device while the worker is alone. */
  readonly updatesOnDevice: boolean;
  readonly numMicroBatches: number;
  readonly numEvalMicroBatches: number;
  readonly samplesPerStep: number;
  /** First byte of the vector that the exchange fills with the reduced gradient. */
  readonly reducedAddress: number;
  /** State that the model and the optimizer hold now. */
  readonly step: number;
  readonly stateHash: string;
}

export interface ProbeResult {
  readonly hash: string;
  readonly tensors: readonly { readonly name: string; readonly hash: string }[];
}

export interface PreparedEngine {
  readonly info: EngineInfo;
  readonly probe: ProbeResult;
  readonly plan: MemoryPlan;
}

export interface ComputeRequest {
  readonly step: number;
  readonly nodes: readonly NodeRange[];
  /** By what a device that computes in 16 bits multiplies the loss before it goes backward. Default 1. */
  readonly lossScale?: number;
  /** Nobody else takes part in the step: where `updatesOnDevice`, its gradient stays on the device, and no bucket is told. Default false. */
  readonly isAlone?: boolean;
}

/** How far a request is. */
export interface ComputeProgress {
  /** Leading nodes of the request that have begun, finished ones included: those after them may be given to others. */
  readonly begunNodes: number;
  /** Micro-batches that need not be computed any more, those kept from an earlier attempt included. */
  readonly doneMicroBatches: number;
}

/** What a person must be told of a micro-batch, though it was computed in the end (L6). */
export interface EngineNotice {
  readonly microBatch: number;
  readonly code: string;
  readonly message: string;
}

export interface ComputedNodes {
  readonly losses: readonly MicroBatchSum[];
  /** Absent when there are none. */
  readonly notices?: readonly EngineNotice[];
  /** Micro-batches of those that overflowed at the request's loss scale, and the one at which each was computed. */
  readonly overflows?: readonly (readonly [microBatch: number, lossScale: number])[];
  /** Of a gradient that stayed on the device. */
  readonly gradientHash?: string;
  /** Trained tokens; null when the job does not count tokens. */
  readonly numTokens: number | null;
  readonly computeMs: number;
  /** False when `abort` came before the last node was complete. */
  readonly isComplete: boolean;
}

export interface AppliedStep {
  readonly stateHash: string;
  readonly gradNorm: number;
  readonly learningRate: number;
  readonly applyMs: number;
}

/** A file of a state. */
export interface StateFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The files of a checkpoint, by name, and what identifies the model in them. The bytes are the receiver's. */
export interface ExportedState {
  readonly step: number;
  readonly stateHash: string;
  readonly files: readonly (StateFile & { readonly sha256: string })[];
  readonly paramsSha256: string;
}

/** A state that another worker exported. */
export interface ImportedState {
  readonly step: number;
  readonly files: readonly StateFile[];
}

export interface ComputeEngine {
  /** Where all vectors lie; the session's thread reads and writes them there. */
  readonly memory: WebAssembly.Memory;
  /**
   * Builds data, model and optimizer, computes the probe micro-batch twice on the initial weights, and then restores a state if there
   * is one: probes can be compared whatever the workers begin with.
   *
   * @throws {JobError} E_NOT_DETERMINISTIC naming the first tensor that differs between the two; E_MEMORY_PLAN with the table.
   */
  prepare(): Promise<PreparedEngine>;
  /**
   * Computes nodes; `onBucket` is called while the last backward pass of a node still runs, in an order of its own. Of an earlier request
   * for the same step, finished nodes are announced again and a half-finished one goes on where it was left; so are finished subtrees
   * of it that are asked for as nodes. What is not asked for again is dropped.
   *
   * @param onProgress called when nodes begin and when one is done.
   */
  computeNodes(
    request: ComputeRequest,
    onBucket: (bucket: ReadyBucket) => void,
    onProgress?: (progress: ComputeProgress) => void,
  ): Promise<ComputedNodes>;
  /** Ends `computeNodes` after the micro-batch that runs. What was computed is kept for the next request. */
  abort(): void;
  /** Clips, sets the learning rate and updates, from the gradient in the reduced vector. */
  applyStep(step: number): Promise<AppliedStep>;
  /** Losses and metrics of evaluation micro-batches [lo, hi). */
  evaluate(range: NodeRange): Promise<readonly EvaluatedMicroBatch[]>;
  /** The state between two steps as files. It is copied at once; hashing it holds no later call up. */
  exportState(): Promise<ExportedState>;
  /**
   * Replaces parameters, buffers, optimizer state, counters and step by those of a state that another worker exported, and drops all node
   * sums. On an error everything stays as it was.
   *
   * @param state its files' bytes may be taken over: do not use them afterwards.
   * @throws {TrainingError} E_CHECKPOINT when a file is missing, is of another step, seed, numeric class or architecture, or does not have
   *   the hash it was written with. @throws {FormatError} E_FORMAT for bytes that are no safetensors file.
   */
  importState(state: ImportedState): Promise<{ readonly step: number; readonly stateHash: string }>;
  dispose(): Promise<void>;
}
