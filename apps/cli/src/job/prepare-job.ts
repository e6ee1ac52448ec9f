/** @file Everything that is known of a job before anything starts: its bundle, its configuration, its files. */
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  type JobMetrics,
  jobMetrics,
  numMicroBatchesOf,
  type ParsedConfig,
  parseJobConfig,
  parseOverrides,
} from "@lockstep/worker";
import { loadJobBundle } from "@lockstep/worker/node";
import { bundleJob } from "./bundle-job.js";
import { type CollectedFile, collectFiles } from "./collect-files.js";
import { findJob } from "./find-job.js";
import { resolveRoom } from "./resolve-room.js";

export interface PreparedJob {
  readonly name: string;
  readonly bundle: string;
  readonly bundleSha256: string;
  readonly config: ParsedConfig;
  readonly numMicroBatches: number;
  /** Undefined for a job without metrics. */
  readonly metrics: JobMetrics | undefined;
  readonly files: readonly CollectedFile[];
}

/**
 * Finds, bundles and loads the job, reads its configuration and collects its files. Writes nothing outside a temporary folder.
 *
 * @throws {UsageError} or {ConfigError}: nothing was started.
 */
export async function prepareJob(path: string, pairs: readonly string[], cwd: string): Promise<PreparedJob> {
  const modulePath = findJob(path, cwd);
  const bundle = await bundleJob(modulePath);
  return describeJob(bundle, parseOverrides(pairs), dirname(modulePath));
}

/** As `prepareJob`, from a bundle; `jobFolder` is what the paths of `files()` are relative to. */
async function describeJob(
  bundle: string,
  overrides: Readonly<Record<string, unknown>>,
  jobFolder: string | undefined,
): Promise<PreparedJob> {
  const tempDir = await mkdtemp(join(tmpdir(), "lockstep-job-"));
  try {
    const job = await loadJobBundle(bundle, { resolveRoom, tempDir });
    const config = parseJobConfig(job, overrides);
    const files = jobFolder === undefined ? [] : collectFiles(job.files?.(config) ?? {}, jobFolder);
    const bundleSha256 = createHash("sha256").update(bundle).digest("hex");
    return {
      name: job.name,
      bundle,
      bundleSha256,
      config,
      numMicroBatches: numMicroBatchesOf(config),
      metrics: jobMetrics(job, config),
      files,
    };
  } finally {
    await rm(tempDir, { recursive: true, force: true });
  }
}
