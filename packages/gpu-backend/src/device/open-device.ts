/**
 * @file Chooses an adapter and opens a device on it, with every limit raised to what the adapter offers.
 *
 * Software adapters (lavapipe, SwiftShader, WARP) compute right and slowly: they are refused unless asked for, so that nobody trains on
 * one by accident.
 */
import { BackendError } from "@lockstep/core";
import { adapterName } from "./adapter-name.js";

export interface DeviceOptions {
  /** Which of several adapters. Default "high-performance". */
  readonly powerPreference?: "high-performance" | "low-power";
  /** Take a software adapter when there is no other. Default false. */
  readonly allowSoftware?: boolean;
  /** Features to do without, though the adapter has them: for tests. */
  readonly withoutFeatures?: readonly OptionalFeature[];
}

/** Features that kernels use where they are. */
export const optionalFeatures = ["shader-f16", "subgroups", "timestamp-query"] as const;
export type OptionalFeature = (typeof optionalFeatures)[number];

/** What is known of the adapter, for reports and the numeric class. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly isSoftware: boolean;
}

export interface OpenedDevice {
  readonly device: GPUDevice;
  readonly adapter: AdapterDescription;
  readonly features: ReadonlySet<OptionalFeature>;
  readonly limits: GPUSupportedLimits;
}

/** Limits that kernels rely on; the others stay at their defaults. */
const raisedLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupsPerDimension",
  "maxUniformBufferBindingSize",
] as const;

const softwareNames = /swiftshader|llvmpipe|lavapipe|software|warp|basic render/i;

/**
 * Opens the best adapter of `gpu`.
 *
 * @throws {BackendError} E_NO_ADAPTER when there is none, only a software one that was not asked for, or one that gives no device, with what to do.
 */
export async function openDevice(gpu: GPU, options: DeviceOptions = {}): Promise<OpenedDevice> {
  const { adapter, described } = await findAdapter(gpu, options);
  const unwanted = new Set<string>(options.withoutFeatures);
  const features = optionalFeatures.filter((name) => adapter.features.has(name) && !unwanted.has(name));
  const requiredLimits: Record<string, number> = {};
  for (const name of raisedLimits) requiredLimits[name] = adapter.limits[name];
  const device = await requestDevice(adapter, { requiredFeatures: features as GPUFeatureName[], requiredLimits });
  return { device, adapter: described, features: new Set(features), limits: device.limits };
}

/**
 * The adapter that `openDevice` would open, in words, without a device: cheap, and no proof that one can be had.
 *
 * @throws {BackendError} E_NO_ADAPTER as openDevice.
 */
export async function findAdapterDescription(gpu: GPU, options: DeviceOptions = {}): Promise<AdapterDescription> {
  return (await findAdapter(gpu, options)).described;
}

/** The numeric class of a backend on this adapter. */
export function numericClassOf(adapter: AdapterDescription, storage: "f32" | "f16" = "f32"): `webgpu:${string}` {
  const { vendor, architecture, device } = adapter;
  return `webgpu:${vendor || "unknown"}/${architecture || device || "unknown"}${storage === "f16" ? ":f16" : ""}`;
}

async function findAdapter(
  gpu: GPU,
  options: DeviceOptions,
): Promise<{ readonly adapter: GPUAdapter; readonly described: AdapterDescription }> {
  const adapter = await gpu.requestAdapter({ powerPreference: options.powerPreference ?? "high-performance" });
  if (adapter === null) {
    throw new BackendError(
      "webgpu: no adapter was found; there must be a graphics driver that Vulkan, Metal or Direct3D 12 can use. `lockstep doctor` says what to install.",
      {},
      "E_NO_ADAPTER",
    );
  }
  const described = describeAdapter(adapter.info);
  if (described.isSoftware && options.allowSoftware !== true) {
    throw new BackendError(
      `webgpu: the only adapter is "${adapterName(adapter.info)}", which computes on the CPU and is far slower than the CPU backend. Use --backend cpu, or allow software adapters (allowSoftware).`,
      { adapter: described },
      "E_NO_ADAPTER",
    );
  }
  return { adapter, described };
}

async function requestDevice(adapter: GPUAdapter, descriptor: GPUDeviceDescriptor): Promise<GPUDevice> {
  try {
    return await adapter.requestDevice(descriptor);
  } catch (error) {
    const name = adapterName(adapter.info);
    const reason = error instanceof Error ? error.message : String(error);
    throw new BackendError(
      `webgpu: the driver of "${name}" gave no device: ${reason}. It must give one with the limits it offers itself: update it, end what else uses the adapter, or use --backend cpu.`,
      { adapter: name, reason },
      "E_NO_ADAPTER",
    );
  }
}

/** The adapter in words. */
export function describeAdapter(info: GPUAdapterInfo): AdapterDescription {
  const { vendor, architecture, device, description } = info;
  const isSoftware = softwareNames.test(`${vendor} ${architecture} ${device} ${description}`);
  return { vendor, architecture, device, description, isSoftware };
}
