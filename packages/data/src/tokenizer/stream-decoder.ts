import type { Tokenizer } from "./tokenizer.js";

/** Longest run of tokens whose bytes can be one unfinished character. */
const maxPending = 4;

/**
 * Decodes token by token: text comes out as soon as its last character is whole. For printing while generating.
 *
 * @example
 * const tokenizer = charTokenizer("ab");
 * createStreamDecoder(tokenizer).push(1); // => "b"
 */
export function createStreamDecoder(tokenizer: Tokenizer): { push(id: number): string; flush(): string } {
  let pending: number[] = [];
  const flush = (): string => {
    const text = tokenizer.decode(pending);
    pending = [];
    return text;
  };
  return {
    push(id) {
      pending.push(id);
      if (pending.length < maxPending && tokenizer.decode(pending).endsWith("\ufffd")) return "";
      return flush();
    },
    flush,
  };
}
