/** @file The files of a checkpoint: model and optimizer as safetensors, the rest as JSON; written from a training and read back. */
import {
  type DTypeArray,
  decodeSafetensors,
  encodeSafetensors,
  numericsVersion,
  type StoredTensor,
  type Tensor,
} from "@lockstep/core";
import { TrainingError } from "../errors.js";
import type { Training } from "./build-training.js";
import type { ExportedState } from "./compute-engine.js";
import {
  modelTensors,
  restoreUpdateCounters,
  trainingStateHash,
  updateCounters,
  updateTensors,
} from "./training-state.js";

export const modelFile = "model.safetensors";
export const optimizerFile = "optimizer.safetensors";
export const trainerFile = "trainer.json";

/** `trainer.json`: everything of a state that is no tensor. */
export interface TrainerState {
  readonly schema: 2;
  readonly job: string;
  /** Steps applied. */
  readonly step: number;
  readonly seed: number;
  readonly numericClass: string;
  readonly numericsVersion: number;
  readonly config: Readonly<Record<string, unknown>>;
  /** What the optimizer, and the average of the weights if there is one, keep beside their tensors. */
  readonly optimizer: unknown;
  readonly stateHash: string;
  readonly paramsSha256: string;
}

/** A state as it was at one moment, encoded and not hashed yet: later steps change nothing of it. */
export interface StateSnapshot {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly optimizer: Uint8Array<ArrayBuffer>;
  /** First byte of the weights in `model`; they go on to its end. */
  readonly weightsStart: number;
  readonly trainer: Omit<TrainerState, "paramsSha256">;
}

/** Hex sha256 of what a snapshot holds. */
export interface SnapshotHashes {
  readonly model: string;
  readonly optimizer: string;
  readonly params: string;
}

/** Copies a state, once. @param viewOf the tensor's numbers where they lie; they are read before this returns. */
export function takeSnapshot(
  training: Training,
  state: { readonly step: number; readonly stateHash: string },
  viewOf: (tensor: Tensor) => DTypeArray,
): StateSnapshot {
  const { source } = training;
  const { step, stateHash } = state;
  const metadata = { format: "lockstep", step: String(step) };
  const encode = (tensors: Iterable<readonly [string, Tensor]>): Uint8Array<ArrayBuffer> => {
    const host = [...tensors].map(([name, tensor]) => {
      return [name, { dtype: tensor.dtype, shape: tensor.shape, data: viewOf(tensor) }] as const;
    });
    return encodeSafetensors(host, { metadata }) as Uint8Array<ArrayBuffer>;
  };
  const weights = modelTensors(training);
  const model = encode(weights);
  return {
    model,
    optimizer: encode(updateTensors(training)),
    weightsStart: model.byteLength - weights.reduce((sum, [, { size }]) => sum + 4 * size, 0),
    trainer: {
      schema: 2,
      job: source.job.name,
      step,
      seed: source.seed,
      numericClass: source.backend.numericClass,
      numericsVersion,
      config: source.config,
      optimizer: updateCounters(training),
      stateHash,
    },
  };
}

export function hashSnapshot(
  { model, optimizer, weightsStart }: StateSnapshot,
  sha256: (parts: readonly Uint8Array[]) => string,
): SnapshotHashes {
  return { model: sha256([model]), optimizer: sha256([optimizer]), params: sha256([model.subarray(weightsStart)]) };
}

/** The files of a snapshot. */
export function exportedStateOf(
  { model, optimizer, trainer }: Pick<StateSnapshot, "model" | "optimizer" | "trainer">,
  hashes: SnapshotHashes,
  sha256: (parts: readonly Uint8Array[]) => string,
): ExportedState {
  const whole: TrainerState = { ...trainer, paramsSha256: hashes.params };
  const trainerBytes = new TextEncoder().encode(`${JSON.stringify(whole, undefined, 2)}\n`);
  const files = [
    { name: modelFile, bytes: model, sha256: hashes.model },
    { name: optimizerFile, bytes: optimizer, sha256: hashes.optimizer },
    { name: trainerFile, bytes: trainerBytes, sha256: sha256([trainerBytes]) },
  ];
  return { step: trainer.step, stateHash: trainer.stateHash, files, paramsSha256: hashes.params };
}

/** Copies what a step changes; the returned function puts it back. */
export function keepState(training: Training): () => void {
  const tensors = [...modelTensors(training), ...updateTensors(training)].map(([, tensor]) => tensor);
  const kept = tensors.map((tensor) => tensor.dataSync());
  const counters = updateCounters(training);
  return () => {
    for (const [i, { backend, buffer, offset }] of tensors.entries()) backend.write(buffer, offset, kept[i]!);
    restoreUpdateCounters(training, counters);
  };
}

/**
 * Puts a checkpoint's state into a training. After an error the training may hold part of it.
 *
 * @returns the hash of the state.
 * @throws {TrainingError} E_CHECKPOINT when a file is missing, is of another step, seed, numeric class or architecture, or does not
 *   have the hash it was written with. @throws {FormatError} E_FORMAT for bytes that are no safetensors file.
 */
export function importCheckpoint(
  training: Training,
  checkpoint: { readonly step: number; readonly files: ReadonlyMap<string, Uint8Array> },
): string {
  const trainer = readTrainer(fileOf(checkpoint.files, trainerFile));
  const { source } = training;
  const expected = {
    step: checkpoint.step,
    seed: source.seed,
    job: source.job.name,
    numericClass: source.backend.numericClass,
    numericsVersion,
  };
  for (const [key, value] of Object.entries(expected)) {
    const found = trainer[key as keyof typeof expected];
    if (found !== value)
      refuse(`${trainerFile} has ${key} ${JSON.stringify(found)}; this run has ${JSON.stringify(value)}`, {
        key,
        found,
        expected: value,
      });
  }
  importWeights(training, fileOf(checkpoint.files, modelFile), modelFile);
  importUpdateState(training, fileOf(checkpoint.files, optimizerFile));
  restoreUpdateCounters(training, trainer.optimizer);
  const stateHash = trainingStateHash(training, checkpoint.step);
  if (stateHash !== trainer.stateHash) {
    refuse(`the state read has hash ${stateHash}, ${trainerFile} says ${trainer.stateHash}`, {
      stateHash,
      expected: trainer.stateHash,
    });
  }
  return stateHash;
}

/**
 * Puts the weights of a safetensors file into a model: the same names and shapes, no more and no less.
 *
 * @throws {TrainingError} E_CHECKPOINT naming the first tensor that is missing, left over or of another shape.
 */
export function importWeights(training: Pick<Training, "model">, bytes: Uint8Array, source = "init-from"): void {
  fillTensors(modelTensors(training), decodeSafetensors(bytes, { source }).tensors, source);
}

/** Puts the tensors of optimizer.safetensors into a training. @throws {TrainingError} E_CHECKPOINT as `importWeights`. */
export function importUpdateState(training: Training, bytes: Uint8Array): void {
  const { tensors } = decodeSafetensors(bytes, { source: optimizerFile });
  fillTensors(updateTensors(training), tensors, optimizerFile);
}

export function readTrainer(bytes: Uint8Array): TrainerState {
  let trainer: Partial<TrainerState> | null = null;
  try {
    trainer = JSON.parse(new TextDecoder().decode(bytes)) as Partial<TrainerState> | null;
  } catch {
    // Reported below, with what was expected.
  }
  const schema: unknown = trainer?.schema;
  if (schema === 1) {
    refuse(
      `${trainerFile} is of schema 1, whose hash of a state was another; it must be of schema 2. Its weights can be had: begin a run with --init-from`,
      { schema },
    );
  }
  if (schema !== 2) refuse(`${trainerFile} is no JSON of schema 2`, { schema: schema ?? null });
  return trainer as TrainerState;
}

function fillTensors(
  targets: readonly (readonly [string, Tensor])[],
  stored: ReadonlyMap<string, StoredTensor>,
  source: string,
): void {
  const names = new Set(targets.map(([name]) => name));
  for (const name of stored.keys()) {
    if (!names.has(name)) refuse(`${source} has a tensor "${name}" that the model does not have`, { name, source });
  }
  for (const [name, target] of targets) {
    const tensor = stored.get(name);
    if (tensor === undefined) refuse(`${source} has no tensor "${name}", which the model has`, { name, source });
    if (tensor.shape.join() !== target.shape.join() || tensor.dtype !== target.dtype) {
      refuse(
        `${source} has "${name}" as ${tensor.dtype} [${tensor.shape.join(", ")}]; the model has ${target.dtype} [${target.shape.join(", ")}]`,
        { name, source, stored: tensor.shape, model: target.shape },
      );
    }
    target.backend.write(target.buffer, target.offset, tensor.data);
  }
}

function fileOf(files: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const bytes = files.get(name);
  if (bytes === undefined) refuse(`it has no ${name}`, { name, files: [...files.keys()] });
  return bytes as Uint8Array;
}

function refuse(what: string, fields: Readonly<Record<string, unknown>>): never {
  throw new TrainingError(
    `checkpoint: ${what}; a checkpoint must be of the same job, architecture, seed and numeric class, unchanged. Use the job and flags it was made with.`,
    fields,
    "E_CHECKPOINT",
  );
}
