/** @file Quality of ranked lists: a row is a query, a column a document with its relevance and its score. */
import { ValueError } from "../errors.js";
import { log } from "../scalar-math/index.js";
import { treeSum } from "../train/tree-order.js";
import { assertFinite, assertSameLength, readRows, undefinedMetric, type Values } from "./inputs.js";

export interface RetrievalOptions {
  /** Only the first k documents count. Default: all. */
  readonly k?: number;
}

export interface NdcgOptions extends RetrievalOptions {
  /** Take documents of equal score in their order instead of averaging over all orders. */
  readonly ignoreTies?: boolean;
}

export type RetrievalKind = "ndcg" | "precision" | "recall" | "reciprocalRank" | "hit";

/** One number a query. */
export function queryScores(
  where: string,
  given: readonly [Values, Values],
  { kind, k, ignoreTies = false }: NdcgOptions & { readonly kind: RetrievalKind },
): number[] {
  const relevance = readRows(where, "yTrue", given[0]);
  const scores = readRows(where, "yScore", given[1]);
  assertSameLength(where, ["yTrue", relevance.numRows], ["yScore", scores.numRows]);
  assertSameLength(where, ["a row of yTrue", relevance.numColumns], ["a row of yScore", scores.numColumns]);
  assertFinite(where, "yTrue", relevance.values);
  assertFinite(where, "yScore", scores.values);
  if (k !== undefined && (!Number.isInteger(k) || k < 1)) {
    throw new ValueError(`${where}: k is ${k}; it must be an integer of at least 1. Change it.`, { k });
  }
  const n = relevance.numColumns;
  return Array.from({ length: relevance.numRows }, (_, q) => {
    const gains = Array.from({ length: n }, (_, j) => relevance.values[q * n + j]!);
    const own = Array.from({ length: n }, (_, j) => scores.values[q * n + j]!);
    const query = { gains, scores: own, depth: Math.min(k ?? n, n) };
    if (kind === "ndcg") return ndcgOf(where, query, { ignoreTies, index: q });
    return listScore(where, query, { kind, index: q, k: k ?? n });
  });
}

interface Query {
  readonly gains: readonly number[];
  readonly scores: readonly number[];
  readonly depth: number;
}

const byScore = (scores: readonly number[]): number[] =>
  scores.map((_, j) => j).sort((a, b) => scores[b]! - scores[a]! || a - b);

function listScore(
  where: string,
  { gains, scores, depth }: Query,
  { kind, index, k }: { readonly kind: RetrievalKind; readonly index: number; readonly k: number },
): number {
  const numRelevant = gains.filter((gain) => gain > 0).length;
  if (numRelevant === 0) {
    throw undefinedMetric(
      where,
      `query ${index} has no relevant document; it must have one`,
      "Leave such queries out.",
      { query: index },
    );
  }
  const ranked = byScore(scores).slice(0, depth);
  const numFound = ranked.filter((j) => gains[j]! > 0).length;
  if (kind === "precision") return numFound / k;
  if (kind === "recall") return numFound / numRelevant;
  if (kind === "hit") return Number(numFound > 0);
  const first = ranked.findIndex((j) => gains[j]! > 0);
  return first < 0 ? 0 : 1 / (first + 1);
}

/** 1 / log2(rank + 2), rank from 0. */
const discountOf = (rank: number): number => log(2) / log(rank + 2);

function ndcgOf(
  where: string,
  query: Query,
  { ignoreTies, index }: { readonly ignoreTies: boolean; readonly index: number },
): number {
  const bad = query.gains.findIndex((gain) => gain < 0);
  if (bad >= 0) {
    throw new ValueError(
      `${where}: yTrue[${index}][${bad}] is ${query.gains[bad]}; a relevance must be at least 0. Change it.`,
      { query: index, document: bad },
    );
  }
  const ideal = discountedGain({ ...query, scores: query.gains }, true);
  return ideal === 0 ? 0 : discountedGain(query, ignoreTies) / ideal;
}

function discountedGain({ gains, scores, depth }: Query, ignoreTies: boolean): number {
  const order = byScore(scores);
  let sum = 0;
  for (let begin = 0; begin < order.length; ) {
    let end = begin + 1;
    while (!ignoreTies && end < order.length && scores[order[end]!] === scores[order[begin]!]) end++;
    const tied = order.slice(begin, end);
    const meanGain = tied.reduce((total, j) => total + gains[j]!, 0) / tied.length;
    for (let rank = begin; rank < Math.min(end, depth); rank++) sum += meanGain * discountOf(rank);
    begin = end;
  }
  return sum;
}

function meanOver(
  where: string,
  given: readonly [Values, Values],
  options: NdcgOptions & { readonly kind: RetrievalKind },
): number {
  const values = queryScores(where, given, options);
  return treeSum(values) / values.length;
}

/**
 * Discounted gain of the ranking by that of the best ranking, mean over the queries; 0 for a query without relevance.
 *
 * @shape yTrue [queries, documents] relevance >= 0, yScore of the same shape -> number
 * @throws {ValueError} E_VALUE for a negative relevance, E_METRIC_NOT_FINITE for a NaN score.
 * @source sklearn.metrics.ndcg_score; Jarvelin and Kekalainen 2002; ties as McSherry and Najork 2008.
 * @example
 * metrics.ndcgScore([[10, 0, 0, 1, 5]], [[0.1, 0.2, 0.3, 4, 70]]); // => 0.6956...
 */
export function ndcgScore(yTrue: Values, yScore: Values, options: NdcgOptions = {}): number {
  return meanOver("ndcgScore", [yTrue, yScore], { ...options, kind: "ndcg" });
}

/**
 * Share of the first k documents that are relevant, mean over the queries. Of equal scores the earlier document comes first.
 *
 * @shape yTrue [queries, documents], relevant where above 0, yScore of the same shape -> number
 * @throws {ValueError} E_METRIC_UNDEFINED for a query without a relevant document.
 * @source Manning, Raghavan and Schuetze 2008, section 8.4.
 * @example
 * metrics.precisionAtK([[1, 0, 1]], [[0.9, 0.8, 0.1]], { k: 2 }); // => 0.5
 */
export function precisionAtK(yTrue: Values, yScore: Values, options: RetrievalOptions = {}): number {
  return meanOver("precisionAtK", [yTrue, yScore], { ...options, kind: "precision" });
}

/**
 * Share of the relevant documents that are among the first k, mean over the queries.
 *
 * @shape yTrue [queries, documents], relevant where above 0, yScore of the same shape -> number
 * @throws {ValueError} E_METRIC_UNDEFINED for a query without a relevant document.
 * @source Manning, Raghavan and Schuetze 2008, section 8.4.
 * @example
 * metrics.recallAtK([[1, 0, 1]], [[0.9, 0.8, 0.1]], { k: 2 }); // => 0.5
 */
export function recallAtK(yTrue: Values, yScore: Values, options: RetrievalOptions = {}): number {
  return meanOver("recallAtK", [yTrue, yScore], { ...options, kind: "recall" });
}

/**
 * Mean over the queries of 1 / rank of the first relevant document; 0 where none is among the first k.
 *
 * @shape yTrue [queries, documents], relevant where above 0, yScore of the same shape -> number
 * @throws {ValueError} E_METRIC_UNDEFINED for a query without a relevant document.
 * @source Voorhees 1999, the TREC-8 question answering track.
 * @example
 * metrics.meanReciprocalRank([[0, 1, 0], [1, 0, 0]], [[0.9, 0.8, 0.1], [0.9, 0.8, 0.1]]); // => 0.75
 */
export function meanReciprocalRank(yTrue: Values, yScore: Values, options: RetrievalOptions = {}): number {
  return meanOver("meanReciprocalRank", [yTrue, yScore], { ...options, kind: "reciprocalRank" });
}

/**
 * Share of the queries with a relevant document among the first k.
 *
 * @shape yTrue [queries, documents], relevant where above 0, yScore of the same shape -> number
 * @throws {ValueError} E_METRIC_UNDEFINED for a query without a relevant document.
 * @source none: the field's usual definition.
 * @example
 * metrics.hitRate([[0, 0, 1], [1, 0, 0]], [[0.9, 0.8, 0.1], [0.9, 0.8, 0.1]], { k: 2 }); // => 0.5
 */
export function hitRate(yTrue: Values, yScore: Values, options: RetrievalOptions = {}): number {
  return meanOver("hitRate", [yTrue, yScore], { ...options, kind: "hit" });
}
