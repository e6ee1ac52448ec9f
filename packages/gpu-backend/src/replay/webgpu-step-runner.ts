/**
 * @file Runs steps: the first two of a kind eagerly and written down, the others by replay of what both agreed in.
 *
 * Invariants: a step's bits do not depend on which of the two ran; what cannot be replayed runs eagerly, and a notice says why.
 */
import { BackendError, drawsSoFar } from "@lockstep/core";
import type { StepParts, StepPlace, StepRunner, StepRunnerFigures, StepRunnerOptions } from "@lockstep/core/backend";
import { asGpuBuffer, type GpuBuffer } from "../memory/buffer-pool.js";
import { valuesThrough } from "../memory/host-words.js";
import { CompiledStep, type StepDevice } from "./compiled-step.js";
import { inputSignature } from "./input-signature.js";
import { differenceOf, Recorder, type Recording } from "./recording.js";

/** Kinds of steps kept at once; more of them run eagerly. */
const maxKinds = 16;
const defaultCheckInterval = 500;
/** After as many runs that no record stands for, a notice is due. */
const manyUnlike = 16;

/** Allocations of the host part of a step. */
export interface InputAllocations {
  /** Buffers to hand out in turn, where the sizes agree. */
  readonly offered: readonly GpuBuffer[];
  readonly made: GpuBuffer[];
}

/** What a runner needs of its backend. */
export interface StepHost extends StepDevice {
  /** Runs `fn`; what it allocates is handed out from `offered`, and listed in `made`. */
  withInputs<T>(allocations: InputAllocations, fn: () => T): T;
}

/** Steps of one kind of input. */
interface Kind {
  /** The latest eager run, to compare the next one with. */
  recorded: Recording | undefined;
  /** Two runs agreed. */
  isConfirmed: boolean;
  compiled: CompiledStep | undefined;
  /** What `main` gave, as JSON; undefined for nothing. */
  result: string | undefined;
  numSinceCheck: number;
  /** Runs whose input gave other answers than the one before. */
  numUnlike: number;
  isRefused: boolean;
}

interface Inputs {
  readonly buffers: readonly GpuBuffer[];
  readonly signature: string | undefined;
}

export class WebGpuStepRunner implements StepRunner {
  readonly #host: StepHost;
  readonly #options: StepRunnerOptions;
  readonly #kinds = new Map<string, Kind>();
  #latest: Kind | undefined;
  #isNoticed = false;
  #numEager = 0;
  #numReplayed = 0;

  constructor(host: StepHost, options: StepRunnerOptions) {
    this.#host = host;
    this.#options = options;
  }

  run<I, R>(place: StepPlace, parts: StepParts<I, R>): R {
    if (this.#options.noRecord === true) return this.#runEagerly(parts, parts.input());
    if (this.#latest !== undefined && this.#isCheckDue(this.#latest)) this.#release(this.#latest);
    const made: GpuBuffer[] = [];
    const offered = this.#latest?.compiled?.inputs ?? [];
    const input = this.#host.withInputs({ offered, made }, parts.input);
    const inputs = this.#inputsOf(input, made);
    const kind = this.#kindOf(inputs.signature);
    if (kind === undefined || kind.isRefused) return this.#runEagerly(parts, input);
    this.#latest = kind;
    if (this.#isReplayable(kind, inputs)) return this.#replay(kind, place, { parts, inputs });
    return this.#record(kind, place, { parts, input, inputs });
  }

  figures(): StepRunnerFigures {
    const compiled = [...this.#kinds.values()].flatMap((kind) => kind.compiled ?? []);
    return {
      numEager: this.#numEager,
      numReplayed: this.#numReplayed,
      plannedBytes: compiled.reduce((sum, { plannedBytes }) => sum + plannedBytes, 0),
      unplannedBytes: compiled.reduce((sum, { unplannedBytes }) => sum + unplannedBytes, 0),
    };
  }

  dispose(): void {
    for (const { compiled } of this.#kinds.values()) compiled?.dispose();
    this.#kinds.clear();
    this.#latest = undefined;
  }

  #inputsOf(input: unknown, made: readonly GpuBuffer[]): Inputs {
    const buffers = made.filter(({ isFreed }) => !isFreed);
    const signature = inputSignature(input, (buffer) => {
      const place = buffers.indexOf(asGpuBuffer(buffer));
      return place < 0 ? `${asGpuBuffer(buffer).id}/${asGpuBuffer(buffer).allocation}` : `input ${place}`;
    });
    const sizes = buffers.map(({ byteLength }) => byteLength);
    return { buffers, signature: signature && `${signature} ${sizes.join()} after ${drawsSoFar()} draws` };
  }

  #kindOf(signature: string | undefined): Kind | undefined {
    if (signature === undefined) {
      this.#notice("its batch holds more plain data than can be compared, or functions");
      return undefined;
    }
    const known = this.#kinds.get(signature);
    if (known !== undefined) return known;
    if (this.#kinds.size >= maxKinds) {
      this.#notice(`its batches have more than ${maxKinds} different shapes or numbers beside their tensors`);
      return undefined;
    }
    const made: Kind = {
      ...{ recorded: undefined, isConfirmed: false, compiled: undefined, result: undefined },
      ...{ numSinceCheck: 0, numUnlike: 0, isRefused: false },
    };
    this.#kinds.set(signature, made);
    return made;
  }

  #isCheckDue({ numSinceCheck }: Kind): boolean {
    return numSinceCheck >= (this.#options.checkInterval ?? defaultCheckInterval);
  }

  #isReplayable(kind: Kind, { buffers }: Inputs): boolean {
    if (!kind.isConfirmed || this.#isCheckDue(kind)) return false;
    const isLike = kind.recorded!.guards.every(({ chain, input, of, result }) => {
      const words = buffers[input]!.host?.words;
      return words !== undefined && of(valuesThrough(chain, words)) === result;
    });
    if (!isLike) return false;
    if (kind.compiled?.isValid === false) {
      this.#release(kind);
      kind.isConfirmed = false;
      return false;
    }
    if (kind.compiled === undefined) {
      // What the eager runs took is free by now.
      this.#host.pool.trim();
      kind.compiled = new CompiledStep(this.#host, kind.recorded!);
    }
    return true;
  }

  #replay<I, R>(
    kind: Kind,
    place: StepPlace,
    { parts, inputs }: { readonly parts: StepParts<I, R>; readonly inputs: Inputs },
  ): R {
    const compiled = kind.compiled!;
    compiled.inputs.forEach((target, i) => {
      const source = inputs.buffers[i]!;
      if (source === target) return;
      const [from, to] = [source, target].map(({ handle }) => ({ handle, offset: 0 }));
      this.#host.launcher.copyBytes(from!, to!, 4 * Math.ceil(source.byteLength / 4));
    });
    compiled.replay(place, (part) => parts.onMark?.(part));
    kind.numSinceCheck++;
    this.#numReplayed++;
    return (kind.result === undefined ? undefined : JSON.parse(kind.result)) as R;
  }

  #record<I, R>(
    kind: Kind,
    place: StepPlace,
    { parts, input, inputs }: { readonly parts: StepParts<I, R>; readonly input: I; readonly inputs: Inputs },
  ): R {
    const recorder = new Recorder(place, inputs.buffers);
    const { launcher } = this.#host;
    launcher.recorder = recorder;
    let result: R;
    try {
      result = parts.main(input, (part) => {
        recorder.marked(part);
        recorder.paused(() => parts.onMark?.(part));
      });
    } finally {
      launcher.recorder = undefined;
    }
    this.#numEager++;
    this.#compare(kind, recorder.finish(), JSON.stringify(result));
    return result;
  }

  /** Compares a run with the one before. */
  #compare(kind: Kind, recording: Recording, result: string | undefined): void {
    const { recorded: before, result: resultBefore } = kind;
    if (recording.refusal !== undefined) {
      this.#refuse(kind, recording.refusal);
      return;
    }
    const isLike = before !== undefined && areGuardsEqual(before, recording);
    if (before !== undefined && !isLike) {
      this.#countUnlike(kind, recording, result);
      return;
    }
    kind.recorded = recording;
    kind.result = result;
    // Two runs of one place say nothing about another.
    if (before === undefined || isSamePlace(before.place, recording.place)) return;
    const difference =
      differenceOf(before, recording) ?? (result === resultBefore ? undefined : "it gives another result");
    if (difference !== undefined) {
      if (kind.numSinceCheck > 0) throw changedError(difference, kind.numSinceCheck);
      this.#refuse(kind, difference);
      return;
    }
    this.#release(kind);
    kind.isConfirmed = true;
    kind.numSinceCheck = 0;
  }

  /** The numbers of the batch gave other answers: no wonder that the step does something else. */
  #countUnlike(kind: Kind, recording: Recording, result: string | undefined): void {
    if (!kind.isConfirmed) {
      kind.recorded = recording;
      kind.result = result;
    }
    kind.numUnlike++;
    if (kind.numUnlike !== manyUnlike) return;
    this.#notice(
      `the number of ignored targets, or what else it asks of the batch's integers, changed ${manyUnlike} times`,
    );
  }

  #refuse(kind: Kind, reason: string): void {
    kind.isRefused = true;
    this.#release(kind);
    this.#notice(reason);
  }

  #release(kind: Kind): void {
    kind.compiled?.dispose();
    kind.compiled = undefined;
  }

  #runEagerly<I, R>(parts: StepParts<I, R>, input: I): R {
    this.#numEager++;
    return parts.main(input, (part) => parts.onMark?.(part));
  }

  #notice(reason: string): void {
    if (this.#isNoticed) return;
    this.#isNoticed = true;
    this.#options.onNotice?.(`steps are not replayed, and cost more JavaScript: ${reason}`);
  }
}

function areGuardsEqual(a: Recording, b: Recording): boolean {
  return a.guards.length === b.guards.length && a.guards.every(({ result }, i) => result === b.guards[i]!.result);
}

function isSamePlace(a: StepPlace, b: StepPlace): boolean {
  return a.step === b.step && a.m === b.m;
}

function changedError(difference: string, numReplayed: number): BackendError {
  return new BackendError(
    `webgpu: a step no longer does what was recorded: ${difference}. The last ${numReplayed} replays may not be what the loss computes now: it must follow from the model and the batch alone. Run with noRecord (--no-record), from a checkpoint before that.`,
    { difference, numReplayed },
    "E_REPLAY",
  );
}
