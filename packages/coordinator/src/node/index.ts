export type { EventLine, MetricsLine, RunSummary } from "../state/run-summary.js";
export type { StatusReport, StatusWorker } from "../state/status-report.js";
export {
  type CheckpointManifest,
  checkpointName,
  sha256OfFile,
  verifyCheckpoint,
  writeCheckpoint,
} from "./checkpoint-folder.js";
export { CoordinatorError } from "./coordinator-error.js";
export {
  type Coordinator,
  type CoordinatorJob,
  type CoordinatorLimits,
  type CoordinatorOptions,
  createCoordinator,
} from "./create-coordinator.js";
export type { Clock, ServerSocketConstructors } from "./server-sockets.js";
export { isLoopback } from "./socket-server.js";
