/** @file A device on this thread that computes with CPU kernels: what it sums can be compared with an engine's own sums, to the bit. */
import {
  type CpuBackend,
  createCpuBackend,
  dropGradient,
  microBatchScope,
  NodeStack,
  type NodeSum,
  VectorPool,
  withBackend,
} from "@lockstep/core";
import type { AnyJob } from "../job/define-job.js";
import { createJobFiles } from "../job/job-files.js";
import { parseJobConfig } from "../job/parse-config.js";
import { buildTraining, type Training } from "./build-training.js";
import type { EngineNotice, NodeRange } from "./compute-engine.js";
import { backwardInto, lossOf } from "./micro-batch.js";
import type { DeviceListener, DeviceSource, DeviceStep, MicroBatchDevice } from "./micro-batch-device.js";
import { modelTensors } from "./training-state.js";

export class SyncDevice implements MicroBatchDevice {
  readonly numericClass = "webgpu:test/cpu";
  readonly #backend = createCpuBackend();
  readonly #training: Training;
  readonly #pool: VectorPool;
  #source: DeviceSource | undefined;
  #isStale = true;
  #open: { readonly node: NodeRange; readonly stack: NodeStack } | undefined;

  constructor(job: AnyJob) {
    const config = parseJobConfig(job);
    this.#training = buildTraining({ job, config, seed: 7, files: createJobFiles([]), backend: this.#backend });
    this.#pool = new VectorPool(this.#backend, this.#training.layout.length);
  }

  attach(source: DeviceSource): void {
    this.#source = source;
  }

  invalidate(): void {
    this.#isStale = true;
  }

  train({ stepIndex, microBatch, node, target }: DeviceStep, { onLoss, onEntry }: DeviceListener): void {
    this.#bringLevel();
    if (microBatch === node.lo) {
      this.#open?.stack.abandon();
      this.#open = { node, stack: new NodeStack(this.#pool, this.#training.layout, node) };
    }
    const { stack } = this.#open!;
    const [loss, weight] = this.#fold(stepIndex, microBatch, stack);
    onLoss(loss, weight);
    if (microBatch < node.hi - 1) return;
    this.#copy(stack.complete(), target);
    this.#open = undefined;
    this.#training.layout.parameters.forEach((_, index) => {
      onEntry(index, true);
    });
  }

  take(subtrees: Parameters<MicroBatchDevice["take"]>[0]): void {
    const sums = this.#open!.stack.dismantle();
    this.#open = undefined;
    for (const { node, target } of subtrees)
      this.#copy(sums.find(({ lo, hi }) => lo === node.lo && hi === node.hi)!, target);
  }

  takeNotices(): readonly EngineNotice[] {
    return [];
  }

  dispose(): void {
    this.#backend.dispose();
  }

  /** As a device does: nothing is checked here. */
  #fold(step: number, m: number, stack: NodeStack): readonly [loss: number, weight: number] {
    const { parameters, sampler } = this.#training;
    return withBackend(this.#backend, () =>
      microBatchScope({ seed: 7, step, m }, () => {
        const { sum, weight } = lossOf(this.#training, sampler.microBatch(step, m), "train");
        const leaf = stack.leaf(weight);
        backwardInto(sum, parameters, (index) => {
          leaf.add(index, parameters[index]!.grad);
          dropGradient(parameters[index]!);
        });
        leaf.finish();
        return [sum.itemSync(), weight] as const;
      }),
    );
  }

  #copy({ vector }: NodeSum, target: DeviceStep["target"]): void {
    this.#source!.backend.write(target.buffer, target.offset, vector.dataSync());
  }

  #bringLevel(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    const { backend, training }: { backend: CpuBackend; training: Training } = this.#source!;
    const own = modelTensors(this.#training);
    modelTensors(training).forEach(([, tensor], i) => {
      const [, target] = own[i]!;
      target.backend.write(target.buffer, target.offset, backend.readSync(tensor));
    });
  }
}
