/**
 * @file What one run of a step launched, written down: launches, writes and marks in order, and the buffers that they touch.
 *
 * A buffer that the step allocates is an instance of its own each time, whatever memory the pool gave it; all others are external.
 */
import type { DTypeArray, TensorView } from "@lockstep/core";
import type { StepPlace } from "@lockstep/core/backend";
import type { Pipeline } from "../launch/launcher.js";
import type { GpuBuffer } from "../memory/buffer-pool.js";
import { chainOf, type ViewChain } from "../memory/host-words.js";

/** Memory that a step touches. Positions count events of the recording. */
export interface Instance {
  readonly byteLength: number;
  /** Its elements are binary16. */
  readonly isHalf: boolean;
  /** "input": made by the step's host part; "own": allocated by its launches; "external": older than the step. */
  readonly kind: "input" | "own" | "external";
  /** Of external ones: the buffer, and which of its allocations it was. */
  readonly external?: { readonly buffer: GpuBuffer; readonly allocation: number };
  /** A launch writes it, not only the host. */
  isComputed: boolean;
  /** First and last event that touches it; -1 when none does. */
  first: number;
  last: number;
}

export interface RecordedLaunch {
  readonly kind: "launch";
  readonly pipeline: Pipeline;
  readonly grid: readonly [number, number, number];
  /** The parameter block. */
  readonly words: Uint32Array<ArrayBuffer>;
  /** Words that are the place of the step. */
  readonly placeWords: readonly { readonly word: number; readonly field: keyof StepPlace }[];
  /** Instances, in the order of the kernel's operands. */
  readonly operands: readonly number[];
}

export interface RecordedWrite {
  readonly kind: "write";
  readonly instance: number;
  readonly byteOffset: number;
  readonly words: Int32Array<ArrayBuffer>;
}

export type RecordedEvent = RecordedLaunch | RecordedWrite | { readonly kind: "mark"; readonly part: number };

/** A number that the step took from the values of an input. */
export interface Guard {
  readonly chain: ViewChain;
  /** Place of the input among inputs. */
  readonly input: number;
  readonly of: (values: DTypeArray) => number;
  readonly result: number;
}

export interface Recording {
  readonly place: StepPlace;
  readonly instances: readonly Instance[];
  readonly events: readonly RecordedEvent[];
  readonly guards: readonly Guard[];
  /** Why it cannot be replayed. */
  readonly refusal: string | undefined;
}

export class Recorder {
  readonly #place: StepPlace;
  readonly #instances: Instance[] = [];
  readonly #events: RecordedEvent[] = [];
  readonly #guards: Guard[] = [];
  readonly #inputs: readonly GpuBuffer[];
  /** Instance of a buffer, and which of its allocations that is. */
  readonly #current = new Map<GpuBuffer, { readonly id: number; readonly allocation: number }>();
  #refusal: string | undefined;
  #isPaused = false;

  /** @param inputs buffers of the step's host part, in the order of their allocation. */
  constructor(place: StepPlace, inputs: readonly GpuBuffer[]) {
    this.#place = place;
    this.#inputs = inputs;
    for (const buffer of inputs) this.#add(buffer, { kind: "input" });
  }

  allocated(buffer: GpuBuffer): void {
    if (!this.#isPaused) this.#add(buffer, { kind: "own" });
  }

  launched(launch: {
    readonly pipeline: Pipeline;
    readonly grid: readonly [number, number, number];
    readonly words: Uint32Array;
    readonly operands: readonly GpuBuffer[];
    readonly isWritten: readonly boolean[];
    readonly placeFields: readonly { readonly word: number; readonly field: keyof StepPlace }[];
  }): void {
    if (this.#isPaused) return;
    const { pipeline, grid, operands, isWritten } = launch;
    const words = launch.words.slice() as Uint32Array<ArrayBuffer>;
    const ids = operands.map((buffer, i) => this.#touch(buffer, isWritten[i]!));
    const placeWords = launch.placeFields.filter(({ word, field }) => words[word] === this.#place[field]);
    this.#events.push({ kind: "launch", pipeline, grid, words, placeWords, operands: ids });
  }

  /** @param source of a whole number of words. */
  wrote(buffer: GpuBuffer, byteOffset: number, source: Float32Array | Int32Array | Uint16Array): void {
    if (this.#isPaused) return;
    const words = new Int32Array(source.slice().buffer as ArrayBuffer);
    this.#events.push({ kind: "write", instance: this.#touch(buffer, false), byteOffset, words });
  }

  marked(part: number): void {
    this.#events.push({ kind: "mark", part });
  }

  /** Runs `fn` without writing down what it does. */
  paused(fn: () => void): void {
    this.#isPaused = true;
    try {
      fn();
    } finally {
      this.#isPaused = false;
    }
  }

  asked(view: TensorView, of: (values: DTypeArray) => number, result: number): void {
    if (this.#isPaused) return;
    const chain = chainOf(view);
    const input = this.#inputs.indexOf(chain.at(-1)!.buffer as GpuBuffer);
    // What does not come from an input is the same every time.
    if (input >= 0) this.#guards.push({ chain, input, of, result });
  }

  refuse(reason: string): void {
    if (!this.#isPaused) this.#refusal ??= reason;
  }

  finish(): Recording {
    return {
      place: this.#place,
      instances: this.#instances,
      events: this.#events,
      guards: this.#guards,
      refusal: this.#refusal,
    };
  }

  #add(buffer: GpuBuffer, fields: Pick<Instance, "kind" | "external">): number {
    const { byteLength, isHalf } = buffer;
    const id = this.#instances.push({ ...fields, byteLength, isHalf, isComputed: false, first: -1, last: -1 }) - 1;
    this.#current.set(buffer, { id, allocation: buffer.allocation });
    return id;
  }

  #touch(buffer: GpuBuffer, isComputed: boolean): number {
    const { allocation } = buffer;
    const current = this.#current.get(buffer);
    const id =
      current?.allocation === allocation
        ? current.id
        : this.#add(buffer, { kind: "external", external: { buffer, allocation } });
    const instance = this.#instances[id]!;
    if (instance.first < 0) instance.first = this.#events.length;
    instance.last = this.#events.length;
    instance.isComputed ||= isComputed;
    return id;
  }
}

/** What two recordings of a step disagree in, in words; undefined when a replay of one stands for the other. */
export function differenceOf(a: Recording, b: Recording): string | undefined {
  if (a.events.length !== b.events.length) return `${a.events.length} launches and writes became ${b.events.length}`;
  if (a.instances.length !== b.instances.length) return "it touches another number of buffers";
  for (const [i, instance] of a.instances.entries()) {
    const other = b.instances[i]!;
    const isSame =
      instance.kind === other.kind && instance.byteLength === other.byteLength && instance.isHalf === other.isHalf;
    const { external } = instance;
    if (!isSame || external?.buffer !== other.external?.buffer || external?.allocation !== other.external?.allocation) {
      return "it reads or writes other tensors than before";
    }
  }
  for (const [i, event] of a.events.entries()) {
    const difference = eventDifference([event, b.events[i]!], [a.place, b.place]);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function eventDifference(
  [a, b]: readonly [RecordedEvent, RecordedEvent],
  places: readonly [StepPlace, StepPlace],
): string | undefined {
  if (a.kind === "launch" && b.kind === "launch") return launchDifference([a, b], places);
  if (a.kind === "write" && b.kind === "write") {
    const isSame = a.instance === b.instance && a.byteOffset === b.byteOffset && areEqual(a.words, b.words);
    return isSame ? undefined : "numbers that the loss writes itself differ from one micro-batch to the next";
  }
  if (a.kind === "mark" && b.kind === "mark" && a.part === b.part) return undefined;
  return `a ${a.kind} became a ${b.kind}`;
}

function launchDifference(
  [a, b]: readonly [RecordedLaunch, RecordedLaunch],
  [placeA, placeB]: readonly [StepPlace, StepPlace],
): string | undefined {
  const { name } = a.pipeline;
  if (a.pipeline !== b.pipeline) return `kernel ${name} became ${b.pipeline.name}`;
  if (!areEqual(a.grid, b.grid)) return `kernel ${name} has another grid`;
  if (!areEqual(a.operands, b.operands)) return `kernel ${name} has other operands`;
  const words = b.words.slice();
  for (const { word, field } of a.placeWords) if (words[word] === placeB[field]) words[word] = placeA[field];
  return areEqual(a.words, words) ? undefined : `kernel ${name} has other parameters`;
}

function areEqual(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
