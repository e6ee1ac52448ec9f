export { type AssignmentOptions, assignEvaluation, assignMicroBatches } from "./assignment/assign-micro-batches.js";
export { nodesOfRange, treeMean, treeSum } from "./assignment/tree-nodes.js";
export { decide, nextDeadlineMs } from "./decide/decide.js";
export type { CoordinatorDecision, CoordinatorEffect, CoordinatorEvent } from "./state/coordinator-events.js";
export { type CoordinatorState, initialCoordinatorState } from "./state/coordinator-state.js";
export type { JournalEntry } from "./state/journal-entry.js";
export {
  type CheckpointPolicy,
  type CoordinatorTimeouts,
  defaultLossScaling,
  defaultTimeouts,
  defaultTrust,
  type RunHistory,
  type RunPlan,
  type TrustPolicy,
} from "./state/run-plan.js";
export type { EventLine, MetricsLine, RunSummary } from "./state/run-summary.js";
export type { StatusReport, StatusWorker } from "./state/status-report.js";
