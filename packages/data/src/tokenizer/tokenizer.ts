/** Text to numbers and back. */
export interface Tokenizer {
  readonly vocabSize: number;
  /** @throws {ValueError} E_UNKNOWN_CHARACTER when the text has something the vocabulary has not. */
  encode(text: string): Int32Array;
  /** @throws {ValueError} E_TOKEN_RANGE when an id is not in 0..vocabSize-1. */
  decode(ids: ArrayLike<number>): string;
  /** Everything `loadTokenizer` needs, as JSON. */
  save(): string;
}
