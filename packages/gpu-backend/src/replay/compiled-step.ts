/**
 * @file A recorded step, ready to run again: memory by plan, bind groups and parameters made once. A replay encodes three calls a launch.
 */
import type { StepPlace } from "@lockstep/core/backend";
import { type Launcher, type Pipeline, paramBlockBytes } from "../launch/launcher.js";
import type { BufferPool, GpuBuffer } from "../memory/buffer-pool.js";
import { planMemory } from "./memory-plan.js";
import type { Instance, RecordedLaunch, RecordedWrite, Recording } from "./recording.js";

export interface StepDevice {
  readonly device: GPUDevice;
  readonly launcher: Launcher;
  readonly pool: BufferPool;
}

interface EncodedLaunch {
  readonly kind: "launch";
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  /** Where its parameters begin. */
  readonly offsets: readonly [number];
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

interface EncodedCopy {
  readonly kind: "copy";
  readonly source: GpuBuffer;
  readonly target: GpuBuffer;
  readonly targetOffset: number;
  readonly byteLength: number;
}

type EncodedEvent = EncodedLaunch | EncodedCopy | { readonly kind: "mark"; readonly part: number };

export class CompiledStep {
  /** Buffers of the inputs, in the order of their allocation. */
  readonly inputs: readonly GpuBuffer[];
  readonly recording: Recording;
  readonly plannedBytes: number;
  readonly unplannedBytes: number;
  readonly numLaunches: number;
  readonly #on: StepDevice;
  /** Everything that was taken from the pool. */
  readonly #pinned: GpuBuffer[] = [];
  readonly #events: EncodedEvent[];
  readonly #externals: readonly NonNullable<Instance["external"]>[];
  readonly #uniforms: GPUBuffer;
  /** Blocks of launches that hold the place of the step; they come first. */
  readonly #placed: readonly RecordedLaunch[];
  readonly #placedWords: Uint32Array<ArrayBuffer>;

  constructor(on: StepDevice, recording: Recording) {
    this.#on = on;
    this.recording = recording;
    this.#externals = recording.instances.flatMap(({ external }) => (external === undefined ? [] : [external]));
    const launches = recording.events.filter((event) => event.kind === "launch");
    this.#placed = launches.filter(({ placeWords }) => placeWords.length > 0);
    const ordered = [...this.#placed, ...launches.filter(({ placeWords }) => placeWords.length === 0)];
    this.numLaunches = launches.length;
    const words = blocksOf(ordered);
    this.#placedWords = words.slice(0, (this.#placed.length * paramBlockBytes) / 4) as Uint32Array<ArrayBuffer>;
    this.#uniforms = on.device.createBuffer({
      size: Math.max(1, ordered.length) * paramBlockBytes,
      usage: 0x40 | 0x8, // UNIFORM | COPY_DST
      label: "parameters of a recorded step",
    });
    on.device.queue.writeBuffer(this.#uniforms, 0, words);
    const memory = this.#allocate(recording);
    this.inputs = recording.instances.flatMap(({ kind }, i) => (kind === "input" ? [memory.bufferOf[i]!] : []));
    this.plannedBytes = memory.plannedBytes;
    this.unplannedBytes = memory.unplannedBytes;
    const blockOf = new Map(ordered.map((launch, i) => [launch, i * paramBlockBytes]));
    this.#events = this.#encodeAll(memory, blockOf);
  }

  /** True while the tensors that it did not make are those that it was recorded with. */
  get isValid(): boolean {
    return this.#externals.every(({ buffer, allocation }) => !buffer.isFreed && buffer.allocation === allocation);
  }

  /** Encodes the step for another place. The inputs lie in `inputs`. */
  replay(place: StepPlace, onMark: (part: number) => void): void {
    const { launcher } = this.#on;
    launcher.assertWell();
    this.#writePlace(place);
    let pass: GPUComputePassEncoder | undefined;
    let pipeline: GPUComputePipeline | undefined;
    for (const event of this.#events) {
      if (event.kind === "launch") {
        if (pass === undefined) {
          pass = launcher.pass;
          pipeline = undefined;
        }
        if (event.pipeline !== pipeline) pass.setPipeline(event.pipeline);
        pipeline = event.pipeline;
        pass.setBindGroup(0, event.bindGroup, event.offsets);
        pass.dispatchWorkgroups(event.x, event.y, event.z);
      } else {
        pass = undefined;
        if (event.kind === "mark") onMark(event.part);
        else {
          const { source, target, targetOffset, byteLength } = event;
          const to = { handle: target.handle, offset: targetOffset };
          launcher.copyBytes({ handle: source.handle, offset: 0 }, to, byteLength);
        }
      }
    }
    launcher.count(this.numLaunches);
  }

  dispose(): void {
    this.#on.launcher.submit();
    for (const buffer of this.#pinned) this.#on.pool.unpin(buffer);
    this.#pinned.length = 0;
    this.#uniforms.destroy();
  }

  #writePlace(place: StepPlace): void {
    if (this.#placed.length === 0) return;
    this.#placed.forEach(({ placeWords }, i) => {
      for (const { word, field } of placeWords) this.#placedWords[(i * paramBlockBytes) / 4 + word] = place[field];
    });
    // The queue would write before what is recorded but not yet submitted.
    this.#on.launcher.submit();
    this.#on.device.queue.writeBuffer(this.#uniforms, 0, this.#placedWords);
  }

  #pin(byteLength: number, isHalf = false): GpuBuffer {
    const buffer = this.#on.pool.pin(byteLength, isHalf);
    this.#pinned.push(buffer);
    return buffer;
  }

  #allocate({ instances }: Recording): {
    readonly bufferOf: readonly GpuBuffer[];
    readonly plannedBytes: number;
    readonly unplannedBytes: number;
  } {
    const isShared = (instance: Instance): boolean =>
      instance.kind === "own" && instance.first >= 0 && instance.isComputed;
    const shared = instances.filter(isShared);
    const plan = planMemory(shared);
    const slots = plan.slots.map((byteLength) => this.#pin(byteLength));
    let next = 0;
    const bufferOf = instances.map((instance) => {
      if (instance.external !== undefined) return instance.external.buffer;
      return isShared(instance) ? slots[plan.slotOf[next++]!]! : this.#pin(instance.byteLength, instance.isHalf);
    });
    const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
    const plannedBytes = sum(plan.slots);
    return { bufferOf, plannedBytes, unplannedBytes: sum(shared.map(({ byteLength }) => byteLength)) };
  }

  #encodeAll(
    { bufferOf }: { readonly bufferOf: readonly GpuBuffer[] },
    blockOf: ReadonlyMap<RecordedLaunch, number>,
  ): EncodedEvent[] {
    const groups = new Map<string, GPUBindGroup>();
    const numbers = new Map<Pipeline, number>();
    return this.recording.events.flatMap((event): EncodedEvent[] => {
      if (event.kind === "mark") return [event];
      if (event.kind === "write") return this.#encodeWrite(event, bufferOf[event.instance]!);
      const { pipeline, grid } = event;
      const operands = event.operands.map((id) => bufferOf[id]!);
      if (!numbers.has(pipeline)) numbers.set(pipeline, numbers.size);
      const key = `${numbers.get(pipeline)}:${operands.map(({ id }) => id).join()}`;
      const bindGroup = groups.get(key) ?? this.#on.launcher.createBindGroup(pipeline, operands, this.#uniforms);
      groups.set(key, bindGroup);
      const [x, y, z] = grid;
      return [{ kind: "launch", pipeline: pipeline.handle, bindGroup, offsets: [blockOf.get(event)!], x, y, z }];
    });
  }

  /** Constants of the step: put in place once where nothing else writes there, else copied there in every replay. */
  #encodeWrite({ instance, byteOffset, words }: RecordedWrite, target: GpuBuffer): EncodedEvent[] {
    const { queue } = this.#on.device;
    const { isComputed, kind } = this.recording.instances[instance]!;
    if (kind === "own" && !isComputed) {
      queue.writeBuffer(target.handle, byteOffset, words);
      return [];
    }
    const source = this.#pin(words.byteLength);
    queue.writeBuffer(source.handle, 0, words);
    return [{ kind: "copy", source, target, targetOffset: byteOffset, byteLength: words.byteLength }];
  }
}

function blocksOf(launches: readonly RecordedLaunch[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array((launches.length * paramBlockBytes) / 4);
  launches.forEach((launch, i) => {
    words.set(launch.words, (i * paramBlockBytes) / 4);
  });
  return words;
}
