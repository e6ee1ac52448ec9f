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

/** With the chunks of the larger ones these are fewer than the 64 requests of a worker that the coordinator takes at once. */
const maxBlobsUnderWay = 32;
/** As many as one large blob has under way, so that nothing else waits longer behind many small ones. */
const maxBytesUnderWay = 4 * 2 ** 20;

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
  const { jobBundle, initFrom, resume } = welcome;
  const refs = [jobBundle, ...welcome.files, ...(resume?.files ?? []), ...(initFrom === null ? [] : [initFrom])];
  const paths = await fetchSeveral(refs, ({ sha256, byteLength }) =>
    options.cache.pathOf({ sha256, byteLength }, (wanted) => options.control.fetchBlob(wanted)),
  );
  const diskPathOf = ({ sha256 }: BlobRef): string => paths.get(sha256)!;
  const bundle = await readFile(diskPathOf(jobBundle), "utf8");
  const files = welcome.files.map(
    (file): FileOnDisk => ({ name: file.logicalName, path: file.path, diskPath: diskPathOf(file) }),
  );
  const tempDir = join(options.cacheDir, "jobs");
  return {
    moduleUrl: await writeJobModule(bundle, { resolveRoom: options.resolveRoom, tempDir }),
    config: parseConfigJson(welcome.configJson),
    seed: welcome.seed,
    workerId: options.workerId,
    numeric: welcome.numeric,
    threads: options.threads ?? welcome.threads ?? availableParallelism(),
    files,
    ...(resume === null
      ? {}
      : {
          restore: {
            step: resume.step,
            files: resume.files.map((file) => ({ name: file.name, diskPath: diskPathOf(file) })),
          },
        }),
    ...(initFrom === null ? {} : { initFrom: diskPathOf(initFrom) }),
    ...(options.device === undefined ? {} : { device: deviceSpecOf(options.device) }),
  };
}

function deviceSpecOf({ moduleUrl, options, noRecord = false, updates = false }: DeviceSpec): DeviceSpec {
  return { moduleUrl, options, noRecord, updates };
}

/** Paths by sha256. Small blobs are under way together, so that they do not cost a round trip each; large ones one at a time. */
async function fetchSeveral(
  refs: readonly BlobRef[],
  pathOf: (ref: BlobRef) => Promise<string>,
): Promise<ReadonlyMap<string, string>> {
  const paths = new Map<string, string>();
  const underWay = new Set<Promise<void>>();
  let bytesUnderWay = 0;
  for (const ref of refs) {
    while (
      underWay.size >= maxBlobsUnderWay ||
      (underWay.size > 0 && bytesUnderWay + ref.byteLength > maxBytesUnderWay)
    ) {
      await Promise.race(underWay);
    }
    bytesUnderWay += ref.byteLength;
    const one: Promise<void> = pathOf(ref).then((path) => {
      paths.set(ref.sha256, path);
      bytesUnderWay -= ref.byteLength;
      underWay.delete(one);
    });
    underWay.add(one);
  }
  await Promise.all(underWay);
  return paths;
}

function parseConfigJson(text: string): ParsedConfig {
  const config: unknown = JSON.parse(text);
  if (typeof config === "object" && config !== null) return config as ParsedConfig;
  throw new JobError("config: the coordinator's configuration is no JSON object; it must be one.", {}, "E_CONFIG_JSON");
}
