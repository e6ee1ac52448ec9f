import { noGrad, scope, type Tensor } from "@lockstep/core";
import { inEvaluation } from "../generation/in-evaluation.js";
import {
  assertDecodeOptions,
  type DecodedSequence,
  type DecodeOptions,
  type DecodingModel,
  DecodingSession,
  lengthDivisor,
} from "./decoding-model.js";

/**
 * The most probable token after each other, for all sources at once; of equally probable tokens the first.
 *
 * Deterministic, and a source's result does not depend on its neighbours. Reads values synchronously: for the CPU backend.
 *
 * @shape source [B, S] i32 -> B sequences
 * @throws {ValueError} E_TOKEN_RANGE, E_VALUE for options out of range, E_NOT_FINITE when the model gives logits that are not finite.
 * @source none: ours
 */
export function greedyDecode<State>(
  model: DecodingModel<State>,
  source: Tensor,
  options: DecodeOptions,
): DecodedSequence[] {
  assertDecodeOptions("greedyDecode", model, options);
  const { startToken, endToken, maxNewTokens, lengths, lengthPenalty = 0 } = options;
  const made = Array.from({ length: source.shape[0]! }, () => ({
    tokens: [] as number[],
    logProbability: 0,
    isComplete: false,
  }));
  inEvaluation(model, () =>
    noGrad(() =>
      scope(() => {
        const session = new DecodingSession("greedyDecode", model, source, lengths);
        let open = made;
        for (let i = 0; i < maxNewTokens && open.length > 0; i++) {
          const rows = session.step(open.map(({ tokens }) => tokens.at(-1) ?? startToken));
          for (const [row, sequence] of open.entries()) {
            const { token, logProbability } = best(rows[row]!, sequence.logProbability);
            sequence.logProbability = logProbability;
            if (token === endToken) sequence.isComplete = true;
            else sequence.tokens.push(token);
          }
          const going = open.map((_, row) => row).filter((row) => !open[row]!.isComplete);
          if (going.length > 0) session.select(going, open.length);
          open = going.map((row) => open[row]!);
        }
      }),
    ),
  );
  return made.map(({ tokens, logProbability, isComplete }) => ({
    tokens: Int32Array.from(tokens),
    logProbability,
    score: logProbability / lengthDivisor(tokens.length + (isComplete ? 1 : 0), lengthPenalty),
    isComplete,
  }));
}

/** The token with which the whole sequence is most probable. */
function best(row: Float64Array, before: number): { token: number; logProbability: number } {
  let token = 0;
  for (let i = 1; i < row.length; i++) if (before + row[i]! > before + row[token]!) token = i;
  return { token, logProbability: before + row[token]! };
}
