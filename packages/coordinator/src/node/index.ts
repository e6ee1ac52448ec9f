export type { EventLine, MetricsLine, RunSummary } from "../state/run-summary.js";
export {
  type CheckpointManifest,
  type CheckpointSource,
  checkpointName,
  recoverCheckpoints,
  sha256OfFile,
  verifyCheckpoint,
  writeCheckpoint,
} from "./checkpoint-folder.js";
export { decideRetention, type RetentionPolicy, removeCheckpoints } from "./checkpoint-retention.js";
export { CoordinatorError } from "./coordinator-error.js";
export {
  type Coordinator,
  type CoordinatorJob,
  type CoordinatorLimits,
  type CoordinatorOptions,
  createCoordinator,
} from "./create-coordinator.js";
export { Journal, type OpenedJournal, readJournal } from "./journal.js";
export type { JournalHistory } from "./journal-history.js";
export type {
  CheckpointRecord,
  CommitRecord,
  DirectoryIdentity,
  EndRecord,
  JournalMember,
  JournalRecord,
} from "./journal-record.js";
export type { Clock, ServerSocketConstructors } from "./server-sockets.js";
export { isLoopback } from "./socket-server.js";
