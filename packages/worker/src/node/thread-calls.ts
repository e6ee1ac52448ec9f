/**
 * @file What the socket thread and the compute thread say to each other. Vectors never travel: both see one memory. The bytes of a state's
 * files are handed over, not copied.
 */
import type {
  AppliedStep,
  ComputedNodes,
  ComputeProgress,
  ComputeRequest,
  EvaluatedMicroBatch,
  ImportedState,
  NodeRange,
  PreparedEngine,
  ReadyBucket,
} from "../engine/compute-engine.js";
import type { StateSnapshot } from "../engine/state-files.js";
import type { ErrorReport } from "../errors.js";
import type { EngineSpec } from "./engine-spec.js";

export interface ThreadData {
  readonly spec: EngineSpec;
  readonly memory: WebAssembly.Memory;
  /** One word: the number of the last call that `abort` ended. */
  readonly abortWord: SharedArrayBuffer;
}

/** Argument and result of each call. */
export interface ThreadCalls {
  prepare: { argument: undefined; result: PreparedEngine };
  computeNodes: { argument: ComputeRequest; result: ComputedNodes };
  applyStep: { argument: number; result: AppliedStep };
  evaluate: { argument: NodeRange; result: readonly EvaluatedMicroBatch[] };
  exportState: { argument: undefined; result: StateSnapshot };
  importState: { argument: ImportedState; result: { readonly step: number; readonly stateHash: string } };
  dispose: { argument: undefined; result: undefined };
}

export type CallName = keyof ThreadCalls;

export interface CallMessage<Name extends CallName = CallName> {
  readonly call: number;
  readonly name: Name;
  readonly argument: ThreadCalls[Name]["argument"];
}

export type ReplyMessage =
  | { readonly kind: "result"; readonly call: number; readonly value: unknown }
  | { readonly kind: "error"; readonly call: number; readonly error: ErrorReport }
  | { readonly kind: "bucket"; readonly call: number; readonly bucket: ReadyBucket }
  | { readonly kind: "progress"; readonly call: number; readonly progress: ComputeProgress };
