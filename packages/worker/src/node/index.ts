/** The Node side of a worker: compute thread, sockets between workers, files on disk. */
export { BlobCache, type BlobCacheOptions } from "./blob-cache.js";
export { type CheckJobOptions, checkJob, type JobCheck } from "./check-job.js";
export type { DeviceSpec } from "./engine-spec.js";
export { importJob, type JobBundleOptions, loadJobBundle, writeJobModule } from "./job-loader.js";
export { type LoadedRun, type LoadRunOptions, loadRunForInference } from "./load-run.js";
export { openTrial, type Trial, type TrialOptions, type TrialSpans } from "./open-trial.js";
export { type RunDirectory, readCheckpointFiles, readRunDirectory } from "./run-directory.js";
export { type NodeWorkerOptions, runNodeWorker } from "./run-node-worker.js";
export { ThreadEngine, type ThreadEngineOptions } from "./thread-engine.js";
