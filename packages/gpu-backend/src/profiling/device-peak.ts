/**
 * @file What a device can do at most: bytes a second of a kernel that copies, multiply-adds a second of one that lives in registers. Measured, not
 * looked up, so that shares of it compare like with like.
 */

/** Bytes of memory moved (read and written), and f32 operations, a second. */
export interface Peak {
  readonly bytesPerSecond: number;
  readonly flopsPerSecond: number;
}

export interface PeakOptions {
  readonly nowMs: () => number;
  /** A device that computes on the CPU gets less to do. */
  readonly isSoftware: boolean;
}

const storageUsage = 0x80 | 0x8; // STORAGE | COPY_DST
const uniformUsage = 0x40 | 0x8; // UNIFORM | COPY_DST
/** Enough to be beyond the caches of today's devices. */
const mostCopyBytes = 256 * 2 ** 20;
const softwareCopyBytes = 32 * 2 ** 20;
/** A run shorter than this is repeated with more work: clocks and queues are coarse. */
const enoughMs = 10;
const numRuns = 4;

const copyText = `
@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> copied: array<vec4f>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 256u;
  if (i < arrayLength(&copied)) { copied[i] = source[i]; }
}`;

/** Vectors of four that an invocation keeps in registers, and so multiply-adds that do not wait for one another. */
const numVectors = 8;
const vectors = Array.from({ length: numVectors }, (_, i) => `v${i}`);
const multiplyText = `
struct Params { rounds: u32, factor: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let factor = vec4f(p.factor);
  let term = vec4f(f32(id.x) * 1e-9);
${vectors.map((name, i) => `  var ${name} = vec4f(${i + 1}.0) + term;`).join("\n")}
  for (var round = 0u; round < p.rounds; round++) {
${vectors.map((name) => `    ${name} = fma(${name}, factor, term);`).join("\n")}
  }
  let sum = ${vectors.join(" + ")};
  if (sum.x + sum.y + sum.z + sum.w == 12345.678) { out[0] = sum.x; }
}`;
const flopsOfRound = numVectors * 4 * 2;

/** Measures both. Takes some tens of milliseconds on a GPU. */
export async function measureDevicePeak(device: GPUDevice, options: PeakOptions): Promise<Peak> {
  return { bytesPerSecond: await copyRate(device, options), flopsPerSecond: await multiplyRate(device, options) };
}

async function copyRate(device: GPUDevice, options: PeakOptions): Promise<number> {
  const { maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension } = device.limits;
  const wanted = options.isSoftware ? softwareCopyBytes : mostCopyBytes;
  const size = Math.floor(Math.min(wanted, maxStorageBufferBindingSize) / 4096) * 4096;
  const [source, copied] = [0, 1].map(() => device.createBuffer({ size, usage: storageUsage, label: "copy rate" }));
  const pipeline = compile(device, copyText);
  const groups = Math.ceil(size / 16 / 256);
  const rows = Math.ceil(groups / maxComputeWorkgroupsPerDimension);
  const bindGroup = bind(device, pipeline, [source!, copied!]);
  const grid = [Math.ceil(groups / rows), rows] as const;
  const rate = await bestRate((repeats) => timeOf(device, { pipeline, bindGroup, grid, repeats }, options.nowMs));
  source!.destroy();
  copied!.destroy();
  return rate * 2 * size;
}

async function multiplyRate(device: GPUDevice, options: PeakOptions): Promise<number> {
  const uniforms = device.createBuffer({ size: 16, usage: uniformUsage, label: "multiply rate" });
  const out = device.createBuffer({ size: 16, usage: storageUsage, label: "multiply rate" });
  const rounds = 512;
  const numGroups = options.isSoftware ? 8 : 4096;
  device.queue.writeBuffer(uniforms, 0, new Uint32Array([rounds]));
  device.queue.writeBuffer(uniforms, 4, new Float32Array([0.999]));
  const pipeline = compile(device, multiplyText);
  const bindGroup = bind(device, pipeline, [uniforms, out]);
  const grid = [numGroups, 1] as const;
  const rate = await bestRate((repeats) => timeOf(device, { pipeline, bindGroup, grid, repeats }, options.nowMs));
  uniforms.destroy();
  out.destroy();
  return rate * numGroups * 256 * rounds * flopsOfRound;
}

interface TimedDispatch {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly grid: readonly [number, number];
  readonly repeats: number;
}

/** Dispatches a second: the best of some runs that are long enough. */
async function bestRate(timed: (repeats: number) => Promise<number>): Promise<number> {
  await timed(1); // compiles, and touches the memory
  let repeats = 1;
  let ms = await timed(repeats);
  while (ms < enoughMs && repeats < 4096) {
    repeats *= 2;
    ms = await timed(repeats);
  }
  for (let run = 1; run < numRuns; run++) ms = Math.min(ms, await timed(repeats));
  return (1000 * repeats) / ms;
}

/** Milliseconds of `repeats` dispatches, from submit to done. */
async function timeOf(
  device: GPUDevice,
  { pipeline, bindGroup, grid, repeats }: TimedDispatch,
  nowMs: () => number,
): Promise<number> {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  for (let i = 0; i < repeats; i++) pass.dispatchWorkgroups(...grid);
  pass.end();
  await device.queue.onSubmittedWorkDone();
  const start = nowMs();
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  return nowMs() - start;
}

function compile(device: GPUDevice, code: string): GPUComputePipeline {
  const module = device.createShaderModule({ code, label: "peak" });
  return device.createComputePipeline({ label: "peak", layout: "auto", compute: { module, entryPoint: "main" } });
}

function bind(device: GPUDevice, pipeline: GPUComputePipeline, buffers: readonly GPUBuffer[]): GPUBindGroup {
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  return device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
}
