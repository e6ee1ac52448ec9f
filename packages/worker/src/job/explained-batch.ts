/** @file What a job shows of one evaluation batch, for `lockstep report`: the contract of `explain`, and its check. */
import type { Tensor } from "@lockstep/core";
import { JobError } from "../errors.js";

export type ExplainedKind = (typeof kinds)[number];

const kinds = ["image", "columns", "tokens"] as const;

/** Answer of a job's `explain(model, batch)`. B is the number of samples in the batch. */
export interface ExplainedBatch {
  readonly kind: ExplainedKind;
  /** f32, what attributions are of: images [B, H, W] or [B, channels, H, W], columns [B, K], embeddings of tokens [B, T, C]. */
  readonly inputs: Tensor;
  /** The model from there on: scores of classes before softmax [B, C], or a value a sample [B]. */
  outputs(inputs: Tensor): Tensor;
  /** [B]: i32 classes for scores, f32 for values. */
  readonly targets: Tensor;
  /** A name for each class. Default: its number. */
  readonly classNames?: readonly string[];
  /** Names of the columns, as one list; or the texts of each sample's tokens, without its padding. */
  readonly pieces?: readonly (readonly string[])[];
  /** What tokens are blended into for integrated gradients: broadcasts to inputs. Default 0. */
  readonly baseline?: Tensor;
  /** Weights of attention, [B, heads, T, T]: row t is what token t looks at. */
  attention?(): Tensor;
}

/** @throws {JobError} E_JOB_EXPLAIN when it is none, or does not fit a batch of `numSamples`: names the field. */
export function assertExplainedBatch(
  answer: unknown,
  job: string,
  numSamples: number,
): asserts answer is ExplainedBatch {
  const refuse = (what: string): never => {
    throw new JobError(
      `job "${job}": explain(model, batch) gave ${what}; it must give { kind, inputs, outputs(inputs), targets } for the ${numSamples} samples of the batch. See ExplainedBatch.`,
      { job, numSamples },
      "E_JOB_EXPLAIN",
    );
  };
  if (typeof answer !== "object" || answer === null) refuse(String(answer));
  const { kind, inputs, targets, ...rest } = answer as Partial<ExplainedBatch>;
  if (!kinds.includes(kind!)) refuse(`kind ${JSON.stringify(kind)}, which is not one of ${kinds.join(", ")}`);
  const dims = { image: [3, 4], columns: [2], tokens: [3] }[kind!];
  if (!isTensor(inputs) || inputs.dtype !== "f32" || !dims.includes(inputs.numDims) || inputs.shape[0] !== numSamples) {
    refuse(`inputs ${describe(inputs)} for kind "${kind}"`);
  }
  if (!isTensor(targets) || !["i32", "f32"].includes(targets.dtype) || `${targets.shape}` !== `${numSamples}`) {
    refuse(`targets ${describe(targets)}`);
  }
  if (typeof rest.outputs !== "function") refuse(`outputs of type ${typeof rest.outputs}`);
  if (rest.attention !== undefined && typeof rest.attention !== "function") refuse("an attention that is no function");
  if (rest.classNames !== undefined && !isTexts(rest.classNames)) refuse("classNames that are not a list of texts");
  if (rest.pieces !== undefined) assertPieces(rest.pieces, answer as ExplainedBatch, refuse);
}

function assertPieces(pieces: unknown, { kind, inputs }: ExplainedBatch, refuse: (what: string) => never): void {
  if (!Array.isArray(pieces) || !pieces.every(isTexts)) refuse("pieces that are not lists of texts");
  const lists = pieces as string[][];
  const [numSamples, width] = inputs.shape as [number, number];
  if (kind === "columns" && (lists.length !== 1 || lists[0]!.length !== width)) {
    refuse(`pieces of ${lists.map(({ length }) => length).join(", ")} names for ${width} columns (one list of them)`);
  }
  if (kind === "tokens" && (lists.length !== numSamples || lists.some(({ length }) => length > width))) {
    refuse(`pieces of ${lists.map(({ length }) => length).join(", ")} texts for samples of at most ${width} tokens`);
  }
}

/** @throws {JobError} E_JOB_EXPLAIN when what the functions of the answer give does not fit it. */
export function assertExplainedOutputs(
  { inputs, targets, classNames }: ExplainedBatch,
  { outputs, attention }: { readonly outputs: Tensor; readonly attention?: Tensor | undefined },
  job: string,
): void {
  const refuse = (what: string): never => {
    throw new JobError(`job "${job}": explain: ${what} Mend explain.`, { job }, "E_JOB_EXPLAIN");
  };
  const [numSamples, width] = inputs.shape as [number, number];
  if (!isTensor(outputs) || outputs.shape[0] !== numSamples || outputs.numDims > 2) {
    refuse(`outputs(inputs) gave ${describe(outputs)}; it must give [${numSamples}, classes] or [${numSamples}].`);
  }
  const numClasses = outputs.shape[1];
  if ((numClasses !== undefined) !== (targets.dtype === "i32")) {
    refuse(
      `outputs are ${describe(outputs)} and targets ${describe(targets)}; scores of classes need i32 targets, values f32 ones.`,
    );
  }
  if (classNames !== undefined && numClasses !== classNames.length) {
    refuse(`there are ${classNames.length} classNames for outputs ${describe(outputs)}; there must be one a class.`);
  }
  if (numClasses !== undefined) {
    const bad = Array.from(targets.dataSync()).find((target) => target < 0 || target >= numClasses);
    if (bad !== undefined) refuse(`a target is ${bad}; it must be a class of 0..${numClasses - 1}.`);
  }
  if (attention === undefined) return;
  const [B, , T, S] = isTensor(attention) ? attention.shape : [];
  if (attention.numDims !== 4 || B !== numSamples || T !== S || T !== width) {
    refuse(`attention() gave ${describe(attention)}; it must give [${numSamples}, heads, ${width}, ${width}].`);
  }
}

function isTensor(value: unknown): value is Tensor {
  return typeof value === "object" && value !== null && "dtype" in value && "shape" in value && "numDims" in value;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}

function describe(value: unknown): string {
  return isTensor(value) ? `${value.dtype} [${value.shape.join(", ")}]` : `of type ${typeof value}`;
}
