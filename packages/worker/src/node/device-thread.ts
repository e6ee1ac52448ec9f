/**
 * @file Entry of a device's thread: the job's model once more, on the device's backend. Copies parameters in, computes micro-batches, writes
 * gradients into the compute thread's memory as they arrive.
 */
import { parentPort, workerData } from "node:worker_threads";
import { type Backend, BackendError, type Tensor } from "@lockstep/core";
import { buildTraining } from "../engine/build-training.js";
import type { NodeRange } from "../engine/compute-engine.js";
import { type ChunkRead, DeviceMirror } from "../engine/device-mirror.js";
import { modelTensors, restoreUpdateCounters, stateTensors } from "../engine/training-state.js";
import { errorReport } from "../errors.js";
import type { DeviceAnswer, DeviceRequest, DeviceThreadData, TrainRequest, WordRange } from "./device-calls.js";
import { jobFilesOnDisk } from "./engine-spec.js";
import { importJob } from "./job-loader.js";

if (parentPort === null)
  throw new Error("device-thread: this module is the entry of a thread; start it through ThreadDevice.");

const { spec, memory, port, posted } = workerData as DeviceThreadData;
const postedWord = new Int32Array(posted);

interface DeviceModule {
  readonly createDeviceBackend: (options: Readonly<Record<string, unknown>>) => Promise<Backend>;
}

let mirror: DeviceMirror | undefined;
let attached: Extract<DeviceRequest, { kind: "attach" }> | undefined;
/** The step of the last micro-batch. */
let stepIndex = 0;

function tell(answer: DeviceAnswer): void {
  port.postMessage(answer);
  Atomics.add(postedWord, 0, 1);
  Atomics.notify(postedWord, 0);
}

async function buildMirror(): Promise<DeviceMirror> {
  const { moduleUrl, options, noRecord } = spec.device!;
  const { createDeviceBackend } = (await import(moduleUrl)) as DeviceModule;
  const backend = await createDeviceBackend(options);
  const job = await importJob(spec.moduleUrl);
  const { config, seed } = spec;
  const training = buildTraining({ job, config, seed, files: jobFilesOnDisk(spec.files), backend });
  const onNotice = (message: string): void => tell({ kind: "notice", code: "NOT_REPLAYED", message });
  return new DeviceMirror(backend, training, { onNotice, noRecord: noRecord === true });
}

function wordsOf({ address, length }: WordRange): Float32Array {
  return new Float32Array(memory.buffer, address, length);
}

/** @param targets the first of `stateTensors`: the model's, which micro-batches read, or all. */
function copyState({ backend }: DeviceMirror, targets: readonly Tensor[]): void {
  targets.forEach((target, i) => {
    // A copy: what lies in shared memory cannot be handed to a queue.
    const words = wordsOf(attached!.tensors[i]!).slice();
    backend.write(target.buffer, target.offset, target.dtype === "f32" ? words : new Int32Array(words.buffer));
  });
}

function copyModel(current: DeviceMirror): void {
  copyState(
    current,
    modelTensors(current.training).map(([, tensor]) => tensor),
  );
}

/** Runs `fn` with the mirror, level with CPU memory where it is new; once more with another when the device is lost. */
async function withMirror<T>(
  fn: (mirror: DeviceMirror, isNew: boolean) => Promise<T>,
  what: string,
  canBeMadeAnew = true,
): Promise<T> {
  const attempt = async (): Promise<T> => {
    const isNew = mirror === undefined;
    mirror ??= await buildMirror();
    return fn(mirror, isNew);
  };
  try {
    return await attempt();
  } catch (error) {
    if (!isLost(error) || !canBeMadeAnew) throw error;
    mirror = undefined;
    const { code, message } = errorReport(error);
    tell({
      kind: "notice",
      code,
      message: `the device was lost in ${what}; another is opened and computes it again. ${message}`,
    });
    return attempt();
  }
}

async function train(request: TrainRequest): Promise<void> {
  stepIndex = request.stepIndex;
  // The parameters lie in CPU memory, and one adapter gives the same bits again: what was told stays right.
  const told = new Set<number | "loss">();
  const what = `micro-batch ${request.microBatch} of step ${stepIndex + 1}`;
  await withMirror(
    (current, isNew) => {
      if (isNew && request.keeps) throw goneError();
      if (request.isStale || isNew) copyModel(current);
      return tellStep(current, request, told);
    },
    what,
    !request.keeps,
  );
  tell({ kind: "trained" });
}

/** Computes the micro-batch and tells what was not told yet. */
async function tellStep(
  current: DeviceMirror,
  { microBatch, node, address, lossScale, keeps }: TrainRequest,
  told: Set<number | "loss">,
): Promise<void> {
  const { loss, weight, chunks, isThere } = current.step({ stepIndex, node, microBatch, lossScale, keeps });
  // Every read is looked at, so that none fails unseen when an earlier one does.
  const all = Promise.all([loss, ...chunks.map(({ values }) => values)]);
  all.catch(() => {});
  const value = (await loss)[0]!;
  if (!told.has("loss")) tell({ kind: "loss", loss: value, weight });
  told.add("loss");
  for (const chunk of chunks) {
    await land(current, chunk, address);
    for (let index = chunk.firstEntry; index < chunk.endEntry; index++) {
      if (told.has(index)) continue;
      told.add(index);
      tell({ kind: "entry", index, isThere: isThere[index] === true });
    }
  }
  await all;
}

/** Writes a chunk to its place in the vector at `address`. */
async function land({ training }: DeviceMirror, { firstEntry, values }: ChunkRead, address: number): Promise<void> {
  const words = await values;
  const { offset } = training.layout.parameters[firstEntry]!;
  wordsOf({ address: address + 4 * offset, length: words.length }).set(words);
}

async function take({ subtrees }: Extract<DeviceRequest, { kind: "take" }>): Promise<void> {
  await withMirror(
    async (current, isNew) => {
      if (isNew) copyModel(current);
      const nodes = subtrees.map(({ node }) => node);
      const taken = current.take(nodes) ?? nodes.map((node) => computeAgain(current, node));
      for (const [i, chunks] of taken.entries()) {
        for (const chunk of chunks) await land(current, chunk, subtrees[i]!.address);
      }
    },
    `a node of step ${stepIndex + 1}`,
  );
  tell({ kind: "taken" });
}

/** A node that went with a lost device. */
function computeAgain(current: DeviceMirror, node: NodeRange): readonly ChunkRead[] {
  return current.step({ stepIndex, node, microBatch: node.hi - 1, lossScale: 1 }).chunks;
}

/** Brings all of the device's state level with CPU memory. */
async function push({ counters }: Extract<DeviceRequest, { kind: "push" }>): Promise<void> {
  mirror ??= await buildMirror();
  mirror.drop();
  copyState(mirror, stateTensors(mirror.training));
  restoreUpdateCounters(mirror.training, counters);
  tell({ kind: "pushed" });
}

/** Brings CPU memory level with the device. */
async function fetch(): Promise<void> {
  const { tensors, counters } = stateHolder().state();
  for (const [i, values] of (await Promise.all(tensors)).entries()) {
    const words = values instanceof Uint8Array ? Int32Array.from(values) : (values as Float32Array | Int32Array);
    const range = attached!.tensors[i]!;
    new Int32Array(memory.buffer, range.address, range.length).set(
      new Int32Array(words.buffer, words.byteOffset, words.length),
    );
  }
  tell({ kind: "fetched", counters });
}

/** The mirror that is ahead of CPU memory. Another one could not take its place. */
function stateHolder(): DeviceMirror {
  if (mirror === undefined) throw goneError();
  return mirror;
}

function goneError(): BackendError {
  return new BackendError("device: it was lost, and the state of the last steps with it.", {}, "E_DEVICE_LOST");
}

function isLost(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "E_DEVICE_LOST";
}

async function answer(request: DeviceRequest): Promise<void> {
  if (request.kind === "attach") {
    attached = request;
    tell({ kind: "attached" });
  } else if (request.kind === "train") await train(request);
  else if (request.kind === "take") await take(request);
  else if (request.kind === "push") await push(request);
  else if (request.kind === "reduce") tell({ kind: "reduced", result: await stateHolder().reduce(request.weight) });
  else if (request.kind === "update") tell({ kind: "updated", result: await stateHolder().update(request.stepIndex) });
  else if (request.kind === "fetch") await fetch();
  else mirror?.dispose();
}

let queue: Promise<void> = buildMirror().then((built) => {
  mirror = built;
  const { numericClass, name } = built.backend;
  tell({ kind: "started", numericClass: numericClass as `webgpu:${string}`, description: name });
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
