/**
 * @file WebGPU in Node: Dawn, by way of the npm package `webgpu`, which is installed by those who want it.
 *
 * The package's instance must stay reachable for the life of the process: when it is collected while devices live, the process crashes.
 * It is therefore kept on globalThis, once.
 */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { BackendError } from "@lockstep/core";

/** The version that works: earlier ones do not load, or crash, on Debian 12. */
const version = "0.6.2";

export interface LoadWebGpuOptions {
  /** Folders whose node_modules may hold the package, tried in order after this package's own. */
  readonly folders?: readonly string[];
  /** How to install the package, for the message. Default: `npm install webgpu@0.6.2`. */
  readonly installCommand?: string;
  /** Options of Dawn, such as "backend=null", which checks everything and computes nothing. */
  readonly dawn?: readonly string[];
}

interface DawnModule {
  readonly create: (options: string[]) => GPU;
  readonly globals: Readonly<Record<string, unknown>>;
}

const kept = globalThis as { lockstepWebGpu?: Map<string, GPU> };

/**
 * The entry point of WebGPU, as `navigator.gpu` is in a browser.
 *
 * @throws {BackendError} E_NO_WEBGPU when the package is not installed, with the command that installs it.
 */
export async function loadWebGpu(options: LoadWebGpuOptions = {}): Promise<GPU> {
  kept.lockstepWebGpu ??= new Map();
  const key = (options.dawn ?? []).join(" ");
  const known = kept.lockstepWebGpu.get(key);
  if (known !== undefined) return known;
  const { create, globals } = await importDawn(options);
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  const gpu = create([...(options.dawn ?? [])]);
  kept.lockstepWebGpu.set(key, gpu);
  return gpu;
}

async function importDawn({ folders = [], installCommand }: LoadWebGpuOptions): Promise<DawnModule> {
  const reasons: string[] = [];
  for (const base of [import.meta.url, ...folders.map((folder) => pathToFileURL(`${folder}/package.json`).href)]) {
    let path: string;
    try {
      path = createRequire(base).resolve("webgpu");
    } catch {
      continue;
    }
    try {
      return (await import(pathToFileURL(path).href)) as DawnModule;
    } catch (error) {
      reasons.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const found = reasons.length === 0 ? "it was not found" : `it could not be loaded (${reasons.join("; ")})`;
  throw new BackendError(
    `webgpu: the npm package "webgpu" is needed for a GPU in Node, and ${found}. Install it: ${installCommand ?? `npm install webgpu@${version}`}`,
    {},
    "E_NO_WEBGPU",
  );
}
