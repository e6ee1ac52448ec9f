/**
 * @file A worker's state on its way: snapshots and gradients to the coordinator, in the background; a snapshot, gradients or the kept
 * gradient into the engine of a worker that catches up.
 */
import type { MessageBody, WorkerMessage } from "@lockstep/protocol";
import type { ComputeEngine, EngineInfo } from "../engine/compute-engine.js";
import { errorReport, TrainingError } from "../errors.js";
import type { ControlPort, Log } from "./session-ports.js";
import type { StateMeasures, WorkerEffect } from "./worker-state.js";

/** What an engine holds after it has caught up by one order. */
export interface CaughtState {
  readonly step: number;
  readonly measures: StateMeasures;
}

export interface StateTransferOptions {
  /** The channel that is open now. */
  readonly control: () => ControlPort;
  readonly engine: () => { readonly engine: ComputeEngine; readonly info: EngineInfo };
  readonly sha256: (parts: readonly Uint8Array[]) => string;
  readonly log: Log;
}

export class StateTransfer {
  readonly #options: StateTransferOptions;
  /** Files of a snapshot that was not had whole before the channel broke, by sha256. */
  readonly #fetched = new Map<string, Uint8Array>();

  constructor(options: StateTransferOptions) {
    this.#options = options;
  }

  /** In the background: the export was asked for between two steps, and the next one does not wait for the upload. */
  async snapshot({ step, generation }: Extract<WorkerEffect, { kind: "snapshot" }>): Promise<WorkerMessage> {
    try {
      const { files, stateHash, paramsSha256 } = await this.#options.engine().engine.exportState();
      const stored: MessageBody<"checkpointDone">["files"] = [];
      for (const { name, bytes, sha256 } of files) {
        await this.#options.control().putBlob(bytes, sha256);
        stored.push({ name, sha256, byteLength: bytes.byteLength });
      }
      return { name: "checkpointDone", body: { generation, step, stateHash, files: stored, paramsSha256 } };
    } catch (error) {
      const { code, message } = errorReport(error);
      const body = { generation, step, code: wireCode(code), message: message.slice(0, 4_000) };
      return { name: "checkpointFailed", body };
    }
  }

  /** Copied at once: the next exchange writes over it. What cannot be uploaded, joiners get by a new snapshot. */
  async uploadGradient(step: number): Promise<WorkerMessage | undefined> {
    const copy = this.#reducedBytes().slice();
    const gradient = { sha256: this.#options.sha256([copy]), byteLength: copy.byteLength };
    try {
      await this.#options.control().putBlob(copy, gradient.sha256);
      return { name: "gradientStored", body: { step, gradient } };
    } catch (error) {
      this.#options.log("warn", `the gradient of step ${step} could not be uploaded: ${errorReport(error).message}`);
      return undefined;
    }
  }

  async restore({ step, files, stateHash: expected }: MessageBody<"restore">): Promise<CaughtState> {
    const fetched = await this.#fetch(files);
    const { stateHash } = await this.#options.engine().engine.importState({ step, files: fetched });
    if (stateHash !== expected) {
      const text = `restore: the state after step ${step} has hash ${stateHash} here; it must have ${expected}. Check the memory of this machine.`;
      throw new TrainingError(text, { step, stateHash, expected }, "E_STATE_HASH");
    }
    return { step, measures: { stateHash, gradNorm: null, learningRate: null } };
  }

  /** What came before a channel broke need not come again. */
  async #fetch(files: MessageBody<"restore">["files"]): Promise<{ name: string; bytes: Uint8Array }[]> {
    const wanted = new Set(files.map(({ sha256 }) => sha256));
    for (const sha256 of this.#fetched.keys()) if (!wanted.has(sha256)) this.#fetched.delete(sha256);
    for (const { sha256, byteLength } of files) {
      if (this.#fetched.has(sha256)) continue;
      this.#fetched.set(sha256, await this.#options.control().fetchBlob({ sha256, byteLength }));
    }
    const whole = files.map(({ name, sha256 }) => ({ name, bytes: this.#fetched.get(sha256)! }));
    this.#fetched.clear();
    return whole;
  }

  async applyGradient({ step, gradient }: MessageBody<"applyGradient">): Promise<CaughtState> {
    const bytes = await this.#options.control().fetchBlob(gradient);
    const target = this.#reducedBytes();
    if (bytes.byteLength !== target.byteLength) {
      const text = `applyGradient: the gradient of step ${step} has ${bytes.byteLength} bytes; it must have ${target.byteLength}. All workers must run the same job.`;
      throw new TrainingError(text, { step, byteLength: bytes.byteLength }, "E_GRADIENT_LENGTH");
    }
    target.set(bytes);
    return this.applyHeld(step);
  }

  /** Applies what lies in the reduced vector. */
  async applyHeld(step: number): Promise<CaughtState> {
    const { stateHash, gradNorm, learningRate } = await this.#options.engine().engine.applyStep(step);
    return { step, measures: { stateHash, gradNorm, learningRate } };
  }

  #reducedBytes(): Uint8Array<ArrayBufferLike> {
    const { engine, info } = this.#options.engine();
    const { reducedAddress, gradientFloats } = info;
    return new Uint8Array(engine.memory.buffer, reducedAddress, 4 * gradientFloats);
  }
}

function wireCode(code: string): string {
  return /^[A-Z][A-Z0-9_]{0,63}$/.test(code) ? code : "E_UNEXPECTED";
}
