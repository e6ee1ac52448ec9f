export { type FitCallback, FitError, type FitOptions, type History, type SampleArrays } from "@lockstep/fit";
export { type ExitStatus, exitStatus, UsageError } from "./exit-status.js";
export { callbacks, compile } from "./fit/node-compile.js";
export { bundleJob } from "./job/bundle-job.js";
export { collectFiles } from "./job/collect-files.js";
export { findJob } from "./job/find-job.js";
export { createProgram, runProgram } from "./program.js";
