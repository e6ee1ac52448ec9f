/**
 * @file Entry of a device's thread: the job's model once more, on the device's backend. Copies parameters in, computes micro-batches, writes
 * gradients into the compute thread's memory as they arrive.
 */
import { parentPort, workerData } from "node:worker_threads";
import { type Backend, dropGradient, microBatchScope, type Tensor, tensor, withBackend } from "@lockstep/core";
import { buildTraining, type Training } from "../engine/build-training.js";
import { backwardInto, lossOf } from "../engine/micro-batch.js";
import { deviceTensors } from "../engine/micro-batch-device.js";
import { errorReport } from "../errors.js";
import type { DeviceAnswer, DeviceRequest, DeviceThreadData, WordRange } from "./device-calls.js";
import { jobFilesOnDisk } from "./engine-spec.js";
import { importJob } from "./job-loader.js";

if (parentPort === null)
  throw new Error("device-thread: this module is the entry of a thread; start it through ThreadDevice.");

const { spec, memory, port, posted } = workerData as DeviceThreadData;
const postedWord = new Int32Array(posted);

interface DeviceModule {
  readonly createDeviceBackend: (options: Readonly<Record<string, unknown>>) => Promise<Backend>;
}

interface Mirror {
  readonly backend: Backend;
  readonly training: Training;
}

let mirror: Mirror | undefined;
let attached: Extract<DeviceRequest, { kind: "attach" }> | undefined;

function tell(answer: DeviceAnswer): void {
  port.postMessage(answer);
  Atomics.add(postedWord, 0, 1);
  Atomics.notify(postedWord, 0);
}

async function buildMirror(): Promise<Mirror> {
  const { moduleUrl, options } = spec.device!;
  const { createDeviceBackend } = (await import(moduleUrl)) as DeviceModule;
  const backend = await createDeviceBackend(options);
  const job = await importJob(spec.moduleUrl);
  const { config, seed } = spec;
  return { backend, training: buildTraining({ job, config, seed, files: jobFilesOnDisk(spec.files), backend }) };
}

/** The mirror, made anew after a device was lost: what it held lies in CPU memory. */
async function wellMirror(): Promise<Mirror> {
  mirror ??= await buildMirror();
  return mirror;
}

function wordsOf({ address, length }: WordRange): Float32Array {
  return new Float32Array(memory.buffer, address, length);
}

function copyParameters({ backend, training }: Mirror): void {
  deviceTensors(training).forEach((target, i) => {
    // A copy: what lies in shared memory cannot be handed to a queue.
    const words = wordsOf(attached!.tensors[i]!).slice();
    backend.write(target.buffer, target.offset, target.dtype === "f32" ? words : new Int32Array(words.buffer));
  });
}

type TrainRequest = Extract<DeviceRequest, { kind: "train" }>;

interface Reads {
  readonly loss: Promise<ArrayLike<number>>;
  readonly weight: number;
  /** In the order in which they became ready. */
  readonly entries: readonly { readonly index: number; readonly values: Promise<ArrayLike<number>> | undefined }[];
}

/** Records forward and backward, with a read of each gradient where it is ready. */
function launch({ backend, training }: Mirror, { stepIndex, microBatch: m, lossScale }: TrainRequest): Reads {
  const { source, parameters, statistics } = training;
  return withBackend(backend, () =>
    microBatchScope({ seed: source.seed, step: stepIndex, m }, () => {
      const { sum, weight } = lossOf(training, training.sampler.microBatch(stepIndex, m), "train");
      const loss = sum.data();
      const entries: { index: number; values: Promise<ArrayLike<number>> | undefined }[] = [];
      const add = (index: number, values: Tensor | undefined) => entries.push({ index, values: values?.data() });
      statistics.forEach((emitter, i) => {
        const sums = emitter.takeStatistics();
        add(parameters.length + i, sums);
        sums?.dispose();
      });
      const take = (index: number): void => {
        add(index, parameters[index]!.grad);
        dropGradient(parameters[index]!);
      };
      const seed = lossScale === 1 ? undefined : tensor(Float32Array.of(lossScale), { shape: sum.shape });
      backwardInto(sum, parameters, take, { seed });
      return { loss, weight, entries };
    }),
  );
}

async function train(request: TrainRequest): Promise<void> {
  const told = new Set<number | "loss">();
  try {
    await attempt(request, told);
  } catch (error) {
    if (!isLost(error)) throw error;
    // The parameters lie in CPU memory, and one adapter gives the same bits again: what was told stays right.
    mirror = undefined;
    await attempt(request, told);
  }
  tell({ kind: "trained" });
}

/** Computes the micro-batch and tells what was not told yet. */
async function attempt(request: TrainRequest, told: Set<number | "loss">): Promise<void> {
  const isNew = mirror === undefined;
  const current = await wellMirror();
  if (request.isStale || isNew) copyParameters(current);
  const { loss, weight, entries } = launch(current, request);
  // Every read is looked at, so that none fails unseen when an earlier one does.
  const all = Promise.all([loss, ...entries.map(({ values }) => values)]);
  all.catch(() => {});
  const value = (await loss)[0]!;
  if (!told.has("loss")) tell({ kind: "loss", loss: value, weight });
  told.add("loss");
  for (const { index, values } of entries) {
    const words = await values;
    if (told.has(index)) continue;
    if (words !== undefined) wordsOf(attached!.entries[index]!).set(words);
    told.add(index);
    tell({ kind: "entry", index, isThere: words !== undefined });
  }
  await all;
}

function isLost(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "E_DEVICE_LOST";
}

async function answer(request: DeviceRequest): Promise<void> {
  if (request.kind === "attach") {
    attached = request;
    tell({ kind: "attached" });
  } else if (request.kind === "train") await train(request);
  else mirror?.backend.dispose();
}

let queue: Promise<void> = wellMirror().then(({ backend }) => {
  const { numericClass } = backend;
  tell({ kind: "started", numericClass: numericClass as `webgpu:${string}`, description: backend.name });
});
queue = queue.catch((error: unknown) => tell({ kind: "error", error: errorReport(error) }));
port.on("message", (request: DeviceRequest) => {
  queue = queue
    .then(() => answer(request))
    .catch((error: unknown) => {
      if (isLost(error)) mirror = undefined;
      tell({ kind: "error", error: errorReport(error) });
    });
});
