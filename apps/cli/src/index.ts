export { type ExitStatus, exitStatus, UsageError } from "./exit-status.js";
export { bundleJob } from "./job/bundle-job.js";
export { collectFiles } from "./job/collect-files.js";
export { findJob } from "./job/find-job.js";
export { createProgram, runProgram } from "./program.js";
