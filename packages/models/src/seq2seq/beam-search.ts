/** @file Beam search. Legend: B sources, S source steps. */
import { noGrad, scope, type Tensor, ValueError } from "@lockstep/core";
import { inEvaluation } from "../generation/in-evaluation.js";
import {
  assertDecodeOptions,
  type DecodedSequence,
  type DecodeOptions,
  type DecodingModel,
  DecodingSession,
  lengthDivisor,
} from "./decoding-model.js";

export interface BeamSearchOptions extends DecodeOptions {
  /** Sequences kept for each source. */
  readonly beamWidth: number;
}

interface Hypothesis {
  readonly tokens: readonly number[];
  readonly logProbability: number;
  /** Every token was the most probable one. */
  readonly isGreedy: boolean;
}

interface Candidate {
  /** Of the search's open hypotheses. */
  readonly parent: number;
  readonly token: number;
  readonly logProbability: number;
}

/** The search for one source. */
interface Search {
  open: readonly Hypothesis[];
  /** Hypotheses that may still go on beside the greedy one. */
  width: number;
  readonly done: DecodedSequence[];
}

/**
 * The best sequences for each source, best first, at most beamWidth of them.
 *
 * At every step the `width` most probable continuations of a source's open hypotheses stay; a hypothesis that ends leaves the beam, which is
 * narrower by one from then on. The greedy sequence is kept in any case, so that the best score is never below greedy's; with beamWidth 1
 * the result is greedyDecode's. Of equally probable continuations that of the earlier hypothesis stays, then that with the smaller token;
 * of equal scores the one that ended first.
 *
 * Deterministic, and a source's result does not depend on its neighbours. Reads values synchronously: for the CPU backend.
 *
 * @shape source [B, S] i32 -> B lists
 * @throws {ValueError} E_TOKEN_RANGE, E_VALUE for options out of range, E_NOT_FINITE when the model gives logits that are not finite.
 * @source Sutskever et al. 2014, section 3.2 (the beam that narrows); Wu et al. 2016, section 7 (the length penalty). Deviation: the greedy
 *   sequence is always kept.
 */
export function beamSearch<State>(
  model: DecodingModel<State>,
  source: Tensor,
  options: BeamSearchOptions,
): DecodedSequence[][] {
  assertDecodeOptions("beamSearch", model, options);
  const { beamWidth, startToken, maxNewTokens, lengths } = options;
  if (!Number.isInteger(beamWidth) || beamWidth < 1) {
    throw new ValueError(`beamSearch: beamWidth is ${beamWidth}; it must be a whole number of at least 1.`, {
      beamWidth,
    });
  }
  const searches = Array.from({ length: source.shape[0]! }, (): Search => {
    return { open: [{ tokens: [], logProbability: 0, isGreedy: true }], width: beamWidth, done: [] };
  });
  inEvaluation(model, () =>
    noGrad(() =>
      scope(() => {
        const session = new DecodingSession("beamSearch", model, source, lengths);
        for (let i = 0; i < maxNewTokens; i++) {
          const before = searches.flatMap(({ open }) => open);
          if (before.length === 0) break;
          const rows = session.step(before.map(({ tokens }) => tokens.at(-1) ?? startToken));
          let first = 0;
          const parents = searches.flatMap((search) => {
            const count = search.open.length;
            const chosen = advance(search, rows.slice(first, first + count), options).map((parent) => first + parent);
            first += count;
            return chosen;
          });
          if (parents.length > 0) session.select(parents, before.length);
        }
      }),
    ),
  );
  return searches.map(({ open, done }) => {
    const cut = open.map((hypothesis) => finished(hypothesis, false, options));
    return [...done, ...cut].sort((a, b) => b.score - a.score).slice(0, beamWidth);
  });
}

/** Replaces the open hypotheses by their continuations. Returns the place of each one's parent among the former. */
function advance(search: Search, rows: readonly Float64Array[], options: BeamSearchOptions): number[] {
  const { open } = search;
  const chosen = largest(open, rows, search.width);
  const parent = open.findIndex(({ isGreedy }) => isGreedy);
  const greedy = parent < 0 ? undefined : largest([open[parent]!], [rows[parent]!], 1)[0]!;
  const isChosen = chosen.some((candidate) => candidate.parent === parent && candidate.token === greedy?.token);
  const all = greedy === undefined || isChosen ? chosen : [...chosen, { ...greedy, parent }];
  const parents: number[] = [];
  const next: Hypothesis[] = [];
  for (const [i, candidate] of all.entries()) {
    const { tokens } = open[candidate.parent]!;
    const { token, logProbability } = candidate;
    const isGreedy = candidate.parent === parent && token === greedy?.token;
    if (token === options.endToken) {
      search.done.push(finished({ tokens, logProbability, isGreedy }, true, options));
      if (i < chosen.length) search.width--;
      continue;
    }
    next.push({ tokens: [...tokens, token], logProbability, isGreedy });
    parents.push(candidate.parent);
  }
  search.open = next;
  return parents;
}

/** The most probable continuations, most probable first. */
function largest(open: readonly Hypothesis[], rows: readonly Float64Array[], count: number): Candidate[] {
  const best: Candidate[] = [];
  for (const [parent, row] of rows.entries()) {
    const before = open[parent]!.logProbability;
    for (const [token, logProbability] of row.entries()) {
      const total = before + logProbability;
      if (best.length === count && !(total > (best[count - 1]?.logProbability ?? total))) continue;
      const place = best.findIndex((other) => total > other.logProbability);
      best.splice(place < 0 ? best.length : place, 0, { parent, token, logProbability: total });
      if (best.length > count) best.pop();
    }
  }
  return best;
}

function finished(
  { tokens, logProbability }: Hypothesis,
  isComplete: boolean,
  { lengthPenalty = 0 }: BeamSearchOptions,
): DecodedSequence {
  const divisor = lengthDivisor(tokens.length + (isComplete ? 1 : 0), lengthPenalty);
  return { tokens: Int32Array.from(tokens), logProbability, score: logProbability / divisor, isComplete };
}
