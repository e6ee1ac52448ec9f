/** @file Fetches what a welcome names, and describes the engine that this worker builds from it. */
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { BlobRef, MessageBody } from "@lockstep/protocol";
import { JobError } from "../errors.js";
import type { ParsedConfig } from "../job/parse-config.js";
import type { BlobCache } from "./blob-cache.js";
import type { DeviceSpec, EngineSpec, FileOnDisk } from "./engine-spec.js";
import { writeJobModule } from "./job-loader.js";

export interface FetchOptions {
  readonly workerId: string;
  readonly cache: BlobCache;
  readonly control: { fetchBlob(ref: BlobRef): Promise<Uint8Array> };
  readonly resolveRoom: (specifier: string) => string;
  readonly cacheDir: string;
  readonly threads?: number;
  readonly device?: DeviceSpec;
}

/** @throws {JobError} E_CONFIG_JSON when the configuration is no JSON object; E_BLOB, E_JOB_ROOM. */
export async function fetchEngineSpec(welcome: MessageBody<"welcome">, options: FetchOptions): Promise<EngineSpec> {
  const pathOf = (ref: BlobRef): Promise<string> =>
    options.cache.pathOf({ sha256: ref.sha256, byteLength: ref.byteLength }, (wanted) =>
      options.control.fetchBlob(wanted),
    );
  const bundle = await readFile(await pathOf(welcome.jobBundle), "utf8");
  const files: FileOnDisk[] = [];
  for (const file of welcome.files) {
    files.push({ name: file.logicalName, path: file.path, diskPath: await pathOf(file) });
  }
  const restored: { name: string; diskPath: string }[] = [];
  for (const file of welcome.resume?.files ?? []) restored.push({ name: file.name, diskPath: await pathOf(file) });
  const initFrom = welcome.initFrom === null ? undefined : await pathOf(welcome.initFrom);
  const tempDir = join(options.cacheDir, "jobs");
  return {
    moduleUrl: await writeJobModule(bundle, { resolveRoom: options.resolveRoom, tempDir }),
    config: parseConfigJson(welcome.configJson),
    seed: welcome.seed,
    workerId: options.workerId,
    numeric: welcome.numeric,
    threads: options.threads ?? welcome.threads ?? availableParallelism(),
    files,
    ...(welcome.resume === null ? {} : { restore: { step: welcome.resume.step, files: restored } }),
    ...(initFrom === undefined ? {} : { initFrom }),
    ...(options.device === undefined ? {} : { device: deviceSpecOf(options.device) }),
  };
}

function deviceSpecOf({ moduleUrl, options }: DeviceSpec): DeviceSpec {
  return { moduleUrl, options };
}

function parseConfigJson(text: string): ParsedConfig {
  const config: unknown = JSON.parse(text);
  if (typeof config === "object" && config !== null) return config as ParsedConfig;
  throw new JobError("config: the coordinator's configuration is no JSON object; it must be one.", {}, "E_CONFIG_JSON");
}
