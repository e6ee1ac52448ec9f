/** @file What a compute thread needs to build its engine: plain data, so that it can cross to another thread. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createNodeCpuBackend } from "@lockstep/core/node";
import { TrainingEngine } from "../engine/training-engine.js";
import { createJobFiles, type JobFiles } from "../job/job-files.js";
import type { ParsedConfig } from "../job/parse-config.js";
import { importJob } from "./job-loader.js";
import { ThreadDevice } from "./thread-device.js";

/** A file of the job on this machine's disk. */
export interface FileOnDisk {
  readonly name: string;
  readonly path: string;
  readonly diskPath: string;
}

export interface EngineSpec {
  /** Address of the job's module, as `writeJobModule` gives it. */
  readonly moduleUrl: string;
  readonly config: ParsedConfig;
  readonly seed: number;
  readonly workerId: string;
  readonly numeric: "strict" | "fused";
  readonly threads: number;
  readonly files: readonly FileOnDisk[];
  /** Checkpoint to continue from. */
  readonly restore?: {
    readonly step: number;
    readonly files: readonly { readonly name: string; readonly diskPath: string }[];
  };
  /** Safetensors file whose weights replace the fresh ones. */
  readonly initFrom?: string;
  /** Most bytes the memory may grow to. */
  readonly maxBytes?: number;
  /** What computes the micro-batches instead of the CPU backend. */
  readonly device?: DeviceSpec;
}

/** A backend that a thread of its own makes: the module at `moduleUrl` exports `createDeviceBackend(options): Promise<Backend>`. */
export interface DeviceSpec {
  readonly moduleUrl: string;
  /** Plain data for the module. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Runs every step eagerly instead of recording and replaying it. */
  readonly noRecord?: boolean;
  /** The device takes the steps, too, while the worker is alone. */
  readonly updates?: boolean;
  /** Module of the device's thread; the built one unless a test runs from source. */
  readonly entry?: string;
}

/** What a WebAssembly memory of 32-bit addresses can hold. */
export const maxWasmBytes = 65_536 * 65_536;

/** Loads the job and builds an engine on a CPU backend in `memory`. */
export async function createEngineOf(
  spec: EngineSpec,
  options: { readonly memory: WebAssembly.Memory; readonly nowMs: () => number },
): Promise<TrainingEngine> {
  const job = await importJob(spec.moduleUrl);
  const backend = createNodeCpuBackend({
    numeric: spec.numeric,
    threads: spec.threads,
    memory: options.memory,
    ...(spec.maxBytes === undefined ? {} : { maxBytes: spec.maxBytes }),
  });
  const device = spec.device === undefined ? undefined : await ThreadDevice.start(spec, options.memory);
  return new TrainingEngine({
    job,
    ...(device === undefined ? {} : { device, updatesOnDevice: spec.device?.updates === true }),
    config: spec.config,
    seed: spec.seed,
    workerId: spec.workerId,
    files: jobFilesOnDisk(spec.files),
    backend,
    nowMs: options.nowMs,
    sha256,
    maxBytes: spec.maxBytes ?? maxWasmBytes,
    ...(spec.restore === undefined ? {} : { restore: await readCheckpoint(spec.restore) }),
    ...(spec.initFrom === undefined ? {} : { initFrom: new Uint8Array(await readFile(spec.initFrom)) }),
  });
}

export function jobFilesOnDisk(files: readonly FileOnDisk[]): JobFiles {
  return createJobFiles(
    files.map(({ name, path, diskPath }) => ({ name, path, read: () => new Uint8Array(readFileSync(diskPath)) })),
  );
}

/** Hex sha256 of bytes laid end to end. */
export function sha256(parts: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

async function readCheckpoint(restore: NonNullable<EngineSpec["restore"]>) {
  const files = new Map<string, Uint8Array>();
  for (const { name, diskPath } of restore.files) files.set(name, new Uint8Array(await readFile(diskPath)));
  return { step: restore.step, files };
}
