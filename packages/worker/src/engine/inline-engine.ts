/** @file A ComputeEngine on the caller's thread, for tests and for commands without a network. */
import type {
  ComputedNodes,
  ComputeEngine,
  ComputeProgress,
  ComputeRequest,
  ImportedState,
  NodeRange,
  ReadyBucket,
} from "./compute-engine.js";
import { TrainingEngine, type TrainingEngineOptions } from "./training-engine.js";

export class InlineEngine implements ComputeEngine {
  readonly memory: WebAssembly.Memory;
  /** The engine itself, for what only its own thread may use: model, data. */
  readonly engine: TrainingEngine;
  #isAborted = false;

  constructor(options: TrainingEngineOptions) {
    this.memory = options.backend.wasmMemory;
    this.engine = new TrainingEngine(options);
  }

  async prepare() {
    return this.engine.prepare();
  }
  async computeNodes(
    request: ComputeRequest,
    onBucket: (bucket: ReadyBucket) => void,
    onProgress: (progress: ComputeProgress) => void = () => {},
  ): Promise<ComputedNodes> {
    this.#isAborted = false;
    return this.engine.computeNodes(request, { onBucket, onProgress, shouldStop: () => this.#isAborted });
  }
  abort(): void {
    this.#isAborted = true;
  }
  async applyStep(step: number) {
    return this.engine.applyStep(step);
  }
  async evaluate(range: NodeRange) {
    return this.engine.evaluate(range);
  }
  async exportState() {
    return this.engine.exportState();
  }
  async importState(state: ImportedState) {
    return this.engine.importState(state);
  }
  async dispose(): Promise<void> {
    this.engine.dispose();
  }
}
