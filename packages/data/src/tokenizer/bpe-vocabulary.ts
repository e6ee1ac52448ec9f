import type { Merge } from "./bpe-training.js";

export interface BpeVocabulary {
  /** Text of each id in byte characters; special tokens as they are. */
  readonly tokens: readonly string[];
  /** Pairs of ids in the order in which they were learned. */
  readonly merges: readonly Merge[];
  /** Id of the token a merge gives, merge by merge. */
  readonly mergedIds: readonly number[];
  /** Ids of tokens that stand for themselves and are never merged. */
  readonly specialIds: readonly number[];
}
