/** @file What greedy and beam decoding ask of a model. Legend: R rows (sequences that are being made), S source, V vocabulary. */
import { noGrad, scalarMath, scope, Tensor, tensor, ValueError } from "@lockstep/core";
import type { TextInputs } from "../text-classifier/recurrent-classifier.js";

/**
 * A model that makes a sequence for another one, token after token. RecurrentSeq2Seq and TransformerSeq2Seq are two.
 *
 * `State` is what the model keeps from token to token: tensors whose first dim is the row, in arrays and plain objects, and numbers that are
 * the same for all rows. It is never changed, so that two continuations may begin from one.
 */
export interface DecodingModel<State> {
  readonly config: { readonly targetVocabSize: number; readonly targetSeqLen?: number };
  /** A row for each source. @shape source [R, S] i32 */
  encode(source: Tensor, inputs?: TextInputs): State;
  /** @shape tokens [R] i32 -> logits [R, V] of the token after them */
  step(tokens: Tensor, state: State): { readonly logits: Tensor; readonly state: State };
}

export interface DecodeOptions {
  /** Begins each sequence; not part of the result. */
  readonly startToken: number;
  /** Ends a sequence; not part of the result. */
  readonly endToken: number;
  /** A sequence without its end after so many tokens is cut. */
  readonly maxNewTokens: number;
  /** Of the sources, 1..S; what comes after is padding. */
  readonly lengths?: TextInputs["lengths"];
  /** The exponent alpha of ((5 + tokens) / 6)^alpha, by which a log probability is divided; 0 for none. Default 0. */
  readonly lengthPenalty?: number;
}

export interface DecodedSequence {
  readonly tokens: Int32Array;
  /** Of all tokens and, where it is complete, of the end token. */
  readonly logProbability: number;
  /** logProbability over the length penalty. */
  readonly score: number;
  /** Whether the end token came. */
  readonly isComplete: boolean;
}

/** @throws {ValueError} E_TOKEN_RANGE, E_VALUE */
export function assertDecodeOptions(where: string, { config }: DecodingModel<unknown>, options: DecodeOptions): void {
  const { startToken, endToken, maxNewTokens, lengthPenalty = 0 } = options;
  const { targetVocabSize, targetSeqLen = Number.POSITIVE_INFINITY } = config;
  for (const [name, token] of Object.entries({ startToken, endToken })) {
    if (Number.isInteger(token) && token >= 0 && token < targetVocabSize) continue;
    throw new ValueError(
      `${where}: ${name} is ${token}; it must be in 0..${targetVocabSize - 1}.`,
      { [name]: token, targetVocabSize },
      "E_TOKEN_RANGE",
    );
  }
  if (!Number.isInteger(maxNewTokens) || maxNewTokens < 1 || maxNewTokens > targetSeqLen) {
    const limit = Number.isFinite(targetSeqLen) ? `in 1..${targetSeqLen} (targetSeqLen)` : "of at least 1";
    throw new ValueError(`${where}: maxNewTokens is ${maxNewTokens}; it must be a whole number ${limit}.`, {
      maxNewTokens,
      targetSeqLen,
    });
  }
  if (!(lengthPenalty >= 0 && lengthPenalty < Number.POSITIVE_INFINITY)) {
    throw new ValueError(`${where}: lengthPenalty is ${lengthPenalty}; it must be finite and at least 0.`, {
      lengthPenalty,
    });
  }
}

/** What a log probability is divided by. @source Wu et al. 2016, section 7, without its coverage penalty */
export function lengthDivisor(numTokens: number, alpha: number): number {
  return alpha === 0 ? 1 : scalarMath.pow((5 + numTokens) / 6, alpha);
}

/**
 * Log probabilities of one row of logits, in f64.
 * @throws {ValueError} E_NOT_FINITE naming the first logit that is NaN or infinite.
 */
function logProbabilities(where: string, logits: Float32Array): Float64Array {
  let largest = Number.NEGATIVE_INFINITY;
  for (const [token, logit] of logits.entries()) {
    if (!Number.isFinite(logit)) {
      throw new ValueError(
        `${where}: the logit of token ${token} is ${logit}; all logits must be finite. The model's weights are probably not.`,
        { token, logit },
        "E_NOT_FINITE",
      );
    }
    if (logit > largest) largest = logit;
  }
  let total = 0;
  for (const logit of logits) total += scalarMath.exp(logit - largest);
  const logSum = largest + scalarMath.log(total);
  return Float64Array.from(logits, (logit) => logit - logSum);
}

/** A decoder's state, which goes on from row to row and gives the memory of what it left back. */
export class DecodingSession<State> {
  readonly #model: DecodingModel<State>;
  readonly #where: string;
  #state: State;

  /** To be used inside one scope and without gradients. */
  constructor(where: string, model: DecodingModel<State>, source: Tensor, lengths: TextInputs["lengths"]) {
    this.#model = model;
    this.#where = where;
    this.#state = scope(() => model.encode(source, { lengths }));
  }

  /** Log probabilities of the token after each row's last one. */
  step(tokens: readonly number[]): Float64Array[] {
    const { logits, state } = noGrad(() =>
      scope(() => {
        const next = this.#model.step(tensor(Int32Array.from(tokens)), this.#state);
        return { logits: next.logits.dataSync().slice() as Float32Array, state: next.state };
      }),
    );
    this.#replace(state);
    const width = this.#model.config.targetVocabSize;
    return tokens.map((_, row) => logProbabilities(this.#where, logits.subarray(row * width, (row + 1) * width)));
  }

  /** Goes on with these rows, in this order; one may come twice. */
  select(rows: readonly number[], numRows: number): void {
    if (rows.length === numRows && rows.every((row, i) => row === i)) return;
    const state = scope(() => {
      const ids = tensor(Int32Array.from(rows));
      return mapTensors(this.#state, (x) => x.indexSelect(0, ids)) as State;
    });
    this.#replace(state);
  }

  #replace(state: State): void {
    const kept = new Set<Tensor>();
    mapTensors(state, (x) => {
      kept.add(x);
      return x;
    });
    mapTensors(this.#state, (x) => {
      if (!kept.has(x)) x.dispose();
      return x;
    });
    this.#state = state;
  }
}

/** The same arrays and objects with other tensors. */
function mapTensors(value: unknown, change: (x: Tensor) => Tensor): unknown {
  if (value instanceof Tensor) return change(value);
  if (Array.isArray(value)) return value.map((item) => mapTensors(item, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTensors(item, change)]));
}
