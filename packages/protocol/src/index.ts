export * from "./bulk/bulk-header.js";
export * from "./bulk/peer-path.js";
export * from "./codec/control-codec.js";
export * from "./codec/message-table.js";
export {
  type Assignment,
  type BlobRef,
  isLossScale,
  maxBlobChunkBytes,
  maxEvaluationStateBytes,
  maxGridMicroBatches,
  maxMetricStateBytes,
  maxNotices,
  type NamedBlob,
} from "./control/control-fields.js";
export * from "./control/control-messages.js";
export type { Link, Member } from "./control/generation-messages.js";
export type { JobFile } from "./control/join-messages.js";
export type { WorkerPhase } from "./control/lifecycle-messages.js";
export * from "./control/protocol-paths.js";
export * from "./errors.js";
export * from "./limits.js";
export * from "./relay/frame-channel.js";
export * from "./relay/relay-header.js";
export * from "./version.js";
