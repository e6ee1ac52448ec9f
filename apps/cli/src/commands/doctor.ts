/** @file `lockstep doctor`: what this machine has for training, and what to install where something is missing. */

import { createServer } from "node:net";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import type { LockstepError } from "@lockstep/core";
import { createNodeCpuBackend } from "@lockstep/core/node";
import { adapterName } from "@lockstep/gpu-backend";
import { type ExitStatus, exitStatus } from "../exit-status.js";
import { webGpuFolders } from "../gpu/choose-device.js";
import { createDeviceBackend, type DeviceBackendOptions } from "../gpu/device-backend.js";
import { formatBytes, formatTable } from "../terminal/format.js";
import { version } from "../version.js";

export interface Finding {
  readonly name: string;
  readonly ok: boolean;
  readonly found: string;
  /** What to do, where something is missing. */
  readonly advice?: string;
}

const defaultPort = 7733;

export async function doctor(flags: { readonly json: boolean }): Promise<ExitStatus> {
  const findings = [
    nodeFinding(),
    coresFinding(),
    memoryFinding(),
    simdFinding(),
    ...classFindings(),
    await webGpuFinding(),
    await portFinding(defaultPort),
  ];
  const canTrain = findings
    .filter(({ name }) => ["Node", "WebAssembly SIMD", "numeric class strict"].includes(name))
    .every(({ ok }) => ok);
  if (flags.json) process.stdout.write(`${JSON.stringify({ version, canTrain, findings }, null, 2)}\n`);
  else process.stdout.write(`${describe(findings, canTrain)}\n`);
  return canTrain ? exitStatus.completed : exitStatus.failed;
}

function describe(findings: readonly Finding[], canTrain: boolean): string {
  const rows = findings.map(({ name, ok, found }) => [ok ? "ok" : "--", name, found]);
  const advice = findings.filter(({ advice }) => advice !== undefined).map(({ name, advice }) => `${name}: ${advice}`);
  const verdict = canTrain ? "This machine can train." : "This machine cannot train yet.";
  return [`lockstep ${version}`, formatTable(rows), "", verdict, ...advice].join("\n");
}

function nodeFinding(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  const found = `${process.versions.node} on ${process.platform} ${process.arch}, V8 ${process.versions.v8}`;
  return ok
    ? { name: "Node", ok, found }
    : { name: "Node", ok, found, advice: "it must be 20.19 or newer; install one from https://nodejs.org" };
}

function coresFinding(): Finding {
  const cores = availableParallelism();
  return { name: "cores", ok: true, found: `${cores} (${cpus()[0]?.model.trim() ?? "unknown model"})` };
}

function memoryFinding(): Finding {
  return {
    name: "memory",
    ok: true,
    found: `${formatBytes(freemem())} free of ${formatBytes(totalmem())}; one worker uses at most 4 GiB`,
  };
}

function simdFinding(): Finding {
  // (func (result v128) i32.const 0 i8x16.splat)
  const module = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];
  const { WebAssembly } = globalThis as unknown as { WebAssembly: { validate(bytes: Uint8Array): boolean } };
  return WebAssembly.validate(new Uint8Array(module))
    ? { name: "WebAssembly SIMD", ok: true, found: "yes" }
    : {
        name: "WebAssembly SIMD",
        ok: false,
        found: "no",
        advice: "this processor or this Node cannot run it, and the CPU backend needs it",
      };
}

/** Asks the backend itself, which proves what it promises before it starts. */
function classFindings(): Finding[] {
  return (["strict", "fused"] as const).map((numeric) => {
    const name = `numeric class ${numeric}`;
    try {
      createNodeCpuBackend({ numeric, threads: 1 }).dispose();
      return { name, ok: true, found: numeric === "fused" ? "yes: relaxed_madd is fused in both V8 tiers" : "yes" };
    } catch (error) {
      return { name, ok: false, found: (error as Error).message };
    }
  });
}

async function webGpuFinding(): Promise<Finding> {
  const name = "WebGPU";
  try {
    const options = { allowSoftware: true, folders: webGpuFolders(process.env, process.cwd()) };
    const backend = await createDeviceBackend({ ...options, storage: "f32" });
    const { adapter, features, limits } = backend;
    backend.dispose();
    const what = adapterName(adapter);
    const binding = formatBytes(limits.maxStorageBufferBindingSize);
    const precision = await precisionsOf(options);
    const found = `${what}; ${[...features].join(", ") || "no optional features"}; ${precision}; tensors of up to ${binding}`;
    if (!adapter.isSoftware) return { name, ok: true, found };
    const advice = "this adapter computes on the CPU, slower than --backend cpu; a GPU needs its maker's Vulkan driver";
    return { name, ok: false, found, advice };
  } catch (error) {
    return { name, ok: false, found: "none", advice: `${(error as Error).message} --backend cpu needs none of it.` };
  }
}

/** Whether the device stores in 16 bits as IEEE 754 says: its own check, when it is opened so. */
async function precisionsOf(options: Omit<DeviceBackendOptions, "storage">): Promise<string> {
  try {
    (await createDeviceBackend({ ...options, storage: "f16" })).dispose();
    return "--precision f16 works";
  } catch (error) {
    const { code, message } = error as LockstepError;
    return code === "E_NO_F16" ? "no --precision f16 (no shader-f16)" : `no --precision f16 (${message})`;
  }
}

function portFinding(port: number): Promise<Finding> {
  const name = `port ${port}`;
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      resolve({
        name,
        ok: false,
        found: error.code ?? error.message,
        advice: "a coordinator needs another one: --port",
      });
    });
    server.listen(port, "127.0.0.1", () => server.close(() => resolve({ name, ok: true, found: "free" })));
  });
}
