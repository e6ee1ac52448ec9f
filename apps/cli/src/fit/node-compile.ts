/** @file `compile` for scripts in Node: threads, files, a clock, and worker processes. */
import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { performance } from "node:perf_hooks";
import { createNodeCpuBackend } from "@lockstep/core/node";
import { createCompile, type FitCallback, callbacks as plain } from "@lockstep/fit";
import { launchFit } from "./launch-fit.js";

/**
 * A model that can be fitted, in this process or with `{ workers: N }`. See the room `@lockstep/fit`.
 *
 * @source keras.Model.compile
 */
export const compile: ReturnType<typeof createCompile> = createCompile({
  createBackend: () => createNodeCpuBackend({ numeric: "strict", threads: availableParallelism() }),
  sha256: (parts) => {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return hash.digest("hex");
  },
  nowMs: () => performance.now(),
  progress: () =>
    new plain.ProgressLogger((text) => void process.stdout.write(text), { isLive: process.stdout.isTTY === true }),
  launch: launchFit,
});

/** The callbacks of the room, and those that write files. */
export const callbacks = {
  ...plain,
  /** A CSV file with a line an epoch; each fit replaces an existing one. */
  csvLog: (path: string): FitCallback => fileLog(path, (write) => new plain.CsvLogger(write)),
  /** A file with a line of JSON an epoch; each fit replaces an existing one. */
  jsonlLog: (path: string): FitCallback => fileLog(path, (write) => new plain.JsonlLogger(write)),
  /** The best weights so far, as a safetensors file. */
  bestCheckpoint: (path: string, monitor: plain.MonitorOptions = {}): FitCallback =>
    new plain.BestWeights({
      ...monitor,
      write: (weights) => {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, weights);
      },
    }),
} as const;

/** A log whose first text of a fit makes the file anew, and the rest goes on with it. */
function fileLog(path: string, make: (write: (text: string) => void) => FitCallback): FitCallback {
  let hasBegun = false;
  const log = make((text) => {
    if (hasBegun) return appendFileSync(path, text);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    hasBegun = true;
  });
  return {
    onFitBegin: (plan) => {
      hasBegun = false;
      log.onFitBegin?.(plan);
    },
    onEpochEnd: (epoch, control) => log.onEpochEnd?.(epoch, control),
  };
}
