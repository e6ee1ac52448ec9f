/** @file Compiles a kernel for a device. One that does not compile is named, with the adapter and the line; the device itself tells of it later. */
import { BackendError } from "@lockstep/core";
import { adapterName } from "../device/adapter-name.js";
import type { LaunchOptions, WgslKernel } from "./kernel.js";
import { type BindingPlan, moduleText, uniformBinding } from "./module-text.js";

export interface PipelineRequest {
  readonly kernel: WgslKernel;
  readonly plan: BindingPlan;
  readonly constants: LaunchOptions["constants"];
}

export interface CompiledPipeline {
  readonly handle: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** Resolves when it is known whether the adapter takes the kernel. */
  readonly settled: Promise<void>;
}

/**
 * Module, layout and pipeline of a kernel. Returns at once; drivers compile on.
 *
 * @param onFailure told, before `settled` resolves, that the adapter does not take the kernel: {BackendError} E_SHADER.
 */
export function createPipeline(
  device: GPUDevice,
  { kernel, plan, constants }: PipelineRequest,
  onFailure: (failure: BackendError) => void,
): CompiledPipeline {
  const code = moduleText(kernel, plan, constants);
  device.pushErrorScope("internal");
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code, label: kernel.name });
  const uniform: GPUBindGroupLayoutEntry = {
    binding: uniformBinding,
    visibility: 0x4, // COMPUTE
    buffer: { type: "uniform", hasDynamicOffset: true },
  };
  const entries = plan.bindings.map(({ isWritten }, i): GPUBindGroupLayoutEntry => {
    return { binding: i + 1, visibility: 0x4, buffer: { type: isWritten ? "storage" : "read-only-storage" } };
  });
  const layout = device.createBindGroupLayout({ entries: [uniform, ...entries] });
  const handle = device.createComputePipeline({
    label: kernel.name,
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: "main" },
  });
  const tell = (error: GPUError | null): void => {
    if (error !== null) onFailure(shaderError(device, kernel.name, { code, message: error.message }));
  };
  // A device that is lost in between rejects, and tells of that itself.
  const scopes = [device.popErrorScope(), device.popErrorScope()].map((scope) => scope.then(tell, () => {}));
  return { handle, layout, settled: Promise.all(scopes).then(() => {}) };
}

/** Whether an error tells no more than that an earlier one has made an object useless. */
export function isConsequence(error: GPUError): boolean {
  return error.message.includes("invalid due to a previous error");
}

function shaderError(
  device: Pick<GPUDevice, "adapterInfo">,
  kernel: string,
  { code, message }: { readonly code: string; readonly message: string },
): BackendError {
  const adapter = adapterName(device.adapterInfo);
  const place = /:(\d+):(\d+)/.exec(message);
  const line = place === null ? undefined : Number(place[1]);
  const source = line === undefined ? undefined : code.split("\n")[line - 1]?.trim();
  const where = source === undefined ? "" : ` Line ${line} of its module is \`${source}\`.`;
  return new BackendError(
    `webgpu: kernel "${kernel}" does not compile on "${adapter}": ${message.trim()}${where} Every adapter must take it: report it with this text, update the driver, or use --backend cpu.`,
    { kernel, adapter, line: line ?? null },
    "E_SHADER",
  );
}
