/**
 * @file Records kernel launches into one command encoder and submits them together.
 *
 * Parameters of all launches between two submits lie in one uniform buffer, written once before the submit and addressed by dynamic
 * offsets; pipelines and bind groups are kept. Errors of the device arrive later than the calls that caused them: the first is kept and
 * thrown by the next call that looks (L6).
 */
import { BackendError, type LockstepError } from "@lockstep/core";
import type { StepPlace } from "@lockstep/core/backend";
import { deviceError, lostError } from "../device/device-error.js";
import type { GpuBuffer } from "../memory/buffer-pool.js";
import type { Recorder } from "../replay/recording.js";
import type { LaunchOptions, WgslKernel } from "./kernel.js";
import { paramNames, planBindings, uniformBinding } from "./module-text.js";
import { type CompiledPipeline, createPipeline, isConsequence } from "./pipeline.js";

/** One word of parameters in this many bytes of the uniform buffer: WebGPU's alignment of dynamic offsets. */
export const paramBlockBytes = 256;
/** Launches between two submits at most: a device has something to do while the next ones are recorded. */
const maxLaunches = 512;
/** Bind groups kept for one pipeline. */
const maxBindGroups = 1024;

/** An operand at launch: its buffer, and the element at which its view begins. */
export interface LaunchOperand {
  readonly buffer: GpuBuffer;
  readonly offset: number;
}

/** What is known of a kernel once it was launched: found by its identity, so that a launch builds no names. */
interface KernelRecord {
  readonly operandNames: readonly string[];
  readonly paramNames: readonly string[];
  readonly isFloat: readonly boolean[];
  /** By operand. */
  readonly isWritten: readonly boolean[];
  /** Words of the block that are the place of a step. */
  readonly placeFields: readonly { readonly word: number; readonly field: keyof StepPlace }[];
  /** By constants, and by which operands share a buffer. */
  readonly pipelines: Map<string, Pipeline>;
}

export interface Pipeline extends CompiledPipeline {
  /** The kernel's. */
  readonly name: string;
  readonly bindGroups: Map<string, GPUBindGroup>;
}

export interface LauncherFigures {
  readonly numLaunches: number;
  readonly numSubmits: number;
  readonly numPipelines: number;
}

/** Times launches: for profiles. */
export interface LaunchTiming {
  /** Asked before a launch is recorded. With timestamps to write, the launch gets a pass of its own. */
  writesOfLaunch(): GPUComputePassTimestampWrites | undefined;
  /** Told of what is about to be submitted: the place to resolve queries. */
  beforeSubmit(encoder: GPUCommandEncoder): void;
  afterSubmit(): void;
}

/** Which failure is kept: a lost device explains errors of calls, and so does a kernel that does not compile. */
const ranks: Readonly<Record<string, number>> = { E_DEVICE_LOST: 2, E_SHADER: 1 };

export class Launcher {
  /** Writes down what is launched, while a step is recorded. */
  recorder: Recorder | undefined;
  /** Watches launches, if anybody does. */
  timing: LaunchTiming | undefined;
  readonly #device: GPUDevice;
  readonly #kernels = new Map<WgslKernel, KernelRecord>();
  readonly #uniforms: GPUBuffer;
  readonly #block = new ArrayBuffer(maxLaunches * paramBlockBytes);
  readonly #words = new Uint32Array(this.#block);
  readonly #floats = new Float32Array(this.#block);
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #numPending = 0;
  #numLaunches = 0;
  #numSubmits = 0;
  #failure: LockstepError | undefined;
  readonly #compiling = new Set<Promise<void>>();

  constructor(device: GPUDevice) {
    this.#device = device;
    const usage = 0x40 | 0x8; // UNIFORM | COPY_DST
    this.#uniforms = device.createBuffer({ size: maxLaunches * paramBlockBytes, usage, label: "parameters" });
    device.addEventListener("uncapturederror", (event) => {
      const { error } = event as GPUUncapturedErrorEvent;
      // While it is not known which kernels compile, the cause is on its way.
      if (this.#compiling.size === 0 || !isConsequence(error)) this.fail(deviceError(device, error));
    });
    void device.lost.then((info) => {
      if (info.reason !== "destroyed") this.fail(lostError(info));
    });
  }

  /** Keeps the first failure, or the one that explains it. */
  fail(failure: LockstepError): void {
    const rank = ranks[failure.code] ?? 0;
    if (this.#failure === undefined || rank > (ranks[this.#failure.code] ?? 0)) this.#failure = failure;
  }

  /** @throws {BackendError} E_DEVICE, E_DEVICE_LOST: what went wrong since the device was opened. */
  assertWell(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when it is known of every kernel launched so far whether the adapter takes it. */
  async compiled(): Promise<void> {
    if (this.#compiling.size > 0) await Promise.all(this.#compiling);
  }

  /** @param operandOf buffer and offset of an operand. */
  launch(
    kernel: WgslKernel,
    operandOf: (name: string) => LaunchOperand,
    params: Readonly<Record<string, number>>,
    options: LaunchOptions,
  ): void {
    const [x, y, z] = this.#gridOf(options.groups);
    if (x * y * z === 0) return;
    this.assertWell();
    if (this.#numPending === maxLaunches) this.submit();
    const record = this.#recordOf(kernel);
    const operands: LaunchOperand[] = [];
    for (const name of record.operandNames) operands.push(operandOf(name));
    const pipeline = this.#pipelineOf(kernel, record, { operands, constants: options.constants });
    const block = this.#numPending * paramBlockBytes;
    this.#writeParams(record, operands, { params, start: block / 4 });
    this.#numPending++;
    this.#numLaunches++;
    const timestampWrites = this.timing?.writesOfLaunch();
    const pass = timestampWrites === undefined ? this.pass : this.#passOfItsOwn(timestampWrites);
    pass.setPipeline(pipeline.handle);
    pass.setBindGroup(0, this.#bindGroupOf(pipeline, operands), [block]);
    pass.dispatchWorkgroups(x, y, z);
    if (timestampWrites !== undefined) this.#endPass();
    const { isWritten, placeFields } = record;
    // What a launch writes is no longer known to the host.
    for (let i = 0; i < operands.length; i++) if (isWritten[i]) operands[i]!.buffer.host = undefined;
    this.recorder?.launched({
      ...{ pipeline, isWritten, placeFields, grid: [x, y, z] },
      words: this.#words.subarray(block / 4, block / 4 + operands.length + 1 + record.paramNames.length),
      operands: operands.map(({ buffer }) => buffer),
    });
  }

  /** The open compute pass. Another one after `copyBytes`, `submit` and a launch of 512. */
  get pass(): GPUComputePassEncoder {
    this.#encoder ??= this.#device.createCommandEncoder();
    this.#pass ??= this.#encoder.beginComputePass();
    return this.#pass;
  }

  /** Counts launches that a replay encodes itself. */
  count(numLaunches: number): void {
    this.#numLaunches += numLaunches;
  }

  /** Records a copy of bytes between buffers, after the launches so far. */
  copyBytes(
    source: { readonly handle: GPUBuffer; readonly offset: number },
    target: { readonly handle: GPUBuffer; readonly offset: number },
    byteLength: number,
  ): void {
    this.assertWell();
    this.#encoder ??= this.#device.createCommandEncoder();
    this.#endPass();
    this.#encoder.copyBufferToBuffer(source.handle, source.offset, target.handle, target.offset, byteLength);
  }

  /** Hands everything recorded to the device. Cheap when there is nothing. */
  submit(): void {
    if (this.#encoder === undefined) return;
    this.#endPass();
    if (this.#numPending > 0) {
      this.#device.queue.writeBuffer(this.#uniforms, 0, this.#block, 0, this.#numPending * paramBlockBytes);
    }
    this.timing?.beforeSubmit(this.#encoder);
    this.#device.queue.submit([this.#encoder.finish()]);
    this.#encoder = undefined;
    this.#numPending = 0;
    this.#numSubmits++;
    this.timing?.afterSubmit();
  }

  /** Forgets bind groups, because buffers in them are about to go. */
  forgetBindGroups(): void {
    this.submit();
    for (const { pipelines } of this.#kernels.values()) {
      for (const { bindGroups } of pipelines.values()) bindGroups.clear();
    }
  }

  figures(): LauncherFigures {
    return {
      numLaunches: this.#numLaunches,
      numSubmits: this.#numSubmits,
      numPipelines: [...this.#kernels.values()].reduce((sum, { pipelines }) => sum + pipelines.size, 0),
    };
  }

  #passOfItsOwn(timestampWrites: GPUComputePassTimestampWrites): GPUComputePassEncoder {
    this.#endPass();
    this.#encoder ??= this.#device.createCommandEncoder();
    this.#pass = this.#encoder.beginComputePass({ timestampWrites });
    return this.#pass;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  /** A flat number of groups becomes a grid that covers it; kernels check `item` or `group` against what there is. */
  #gridOf(groups: LaunchOptions["groups"]): readonly [number, number, number] {
    if (typeof groups !== "number") return groups;
    const limit = this.#device.limits.maxComputeWorkgroupsPerDimension;
    if (groups <= limit) return [groups, 1, 1];
    const rows = Math.ceil(groups / limit);
    return [Math.ceil(groups / rows), rows, 1];
  }

  #recordOf(kernel: WgslKernel): KernelRecord {
    let record = this.#kernels.get(kernel);
    if (record === undefined) {
      // In the order in which they lie in the block.
      const words = paramNames(kernel);
      if (words.length > paramBlockBytes / 4) {
        throw new BackendError(
          `webgpu: kernel "${kernel.name}" has ${words.length} parameters; there must be at most ${paramBlockBytes / 4}.`,
          { kernel: kernel.name },
        );
      }
      const types = Object.values(kernel.params);
      record = {
        operandNames: Object.keys(kernel.operands),
        paramNames: Object.keys(kernel.params),
        isFloat: types.map((type) => type === "f32"),
        isWritten: Object.values(kernel.operands).map((kind) => kind.startsWith("write") || kind.endsWith("atomic")),
        placeFields: Object.entries(kernel.placeParams ?? {}).map(([name, field]) => {
          return { word: words.indexOf(name), field: field as keyof StepPlace };
        }),
        pipelines: new Map(),
      };
      this.#kernels.set(kernel, record);
    }
    return record;
  }

  #pipelineOf(
    kernel: WgslKernel,
    { pipelines }: KernelRecord,
    {
      operands,
      constants,
    }: { readonly operands: readonly LaunchOperand[]; readonly constants: LaunchOptions["constants"] },
  ): Pipeline {
    let key = sharingOf(operands);
    if (constants !== undefined) for (const value of Object.values(constants)) key += `,${value}`;
    const known = pipelines.get(key);
    if (known !== undefined) return known;
    const made = this.#createPipeline(kernel, operands, constants);
    pipelines.set(key, made);
    return made;
  }

  #createPipeline(
    kernel: WgslKernel,
    operands: readonly LaunchOperand[],
    constants: LaunchOptions["constants"],
  ): Pipeline {
    const plan = planBindings(
      kernel.operands,
      operands.map(({ buffer }) => buffer.id),
      operands.map(({ buffer }) => buffer.isHalf),
    );
    const fail = (failure: LockstepError): void => this.fail(failure);
    const pipeline = createPipeline(this.#device, { kernel, plan, constants }, fail);
    this.#compiling.add(pipeline.settled);
    void pipeline.settled.then(() => this.#compiling.delete(pipeline.settled));
    return { name: kernel.name, ...pipeline, bindGroups: new Map() };
  }

  #bindGroupOf(pipeline: Pipeline, operands: readonly LaunchOperand[]): GPUBindGroup {
    let key = "";
    for (const { buffer } of operands) key += `${buffer.id},`;
    const known = pipeline.bindGroups.get(key);
    if (known !== undefined) return known;
    if (pipeline.bindGroups.size >= maxBindGroups) pipeline.bindGroups.clear();
    const made = this.createBindGroup(
      pipeline,
      operands.map(({ buffer }) => buffer),
      this.#uniforms,
    );
    pipeline.bindGroups.set(key, made);
    return made;
  }

  /** @param operands buffers in the order of the kernel's operands. */
  createBindGroup(pipeline: Pipeline, operands: readonly GpuBuffer[], uniforms: GPUBuffer): GPUBindGroup {
    const entries = [...new Set(operands)].map((buffer, i): GPUBindGroupEntry => {
      return { binding: i + 1, resource: { buffer: buffer.handle } };
    });
    const uniform = { binding: uniformBinding, resource: { buffer: uniforms, size: paramBlockBytes } };
    return this.#device.createBindGroup({ layout: pipeline.layout, entries: [uniform, ...entries] });
  }

  #writeParams(
    { paramNames: names, isFloat }: KernelRecord,
    operands: readonly LaunchOperand[],
    { params, start }: { readonly params: Readonly<Record<string, number>>; readonly start: number },
  ): void {
    let word = start;
    for (const { offset } of operands) this.#words[word++] = offset;
    this.#words[word++] = 0;
    for (let i = 0; i < names.length; i++) {
      const value = params[names[i]!]!;
      if (isFloat[i]) this.#floats[word++] = value;
      else this.#words[word++] = value; // modulo 2^32, so that i32 keeps its bits
    }
  }
}

/** Which operands lie in one buffer, and which in one of binary16; "" where each has its own, of words. */
function sharingOf(operands: readonly LaunchOperand[]): string {
  let sharing = "";
  for (let i = 0; i < operands.length; i++) if (operands[i]!.buffer.isHalf) sharing += `h${i} `;
  for (let i = 1; i < operands.length; i++) {
    for (let j = 0; j < i; j++) {
      if (operands[i]!.buffer !== operands[j]!.buffer) continue;
      sharing += `${i}=${j} `;
      break;
    }
  }
  return sharing;
}
