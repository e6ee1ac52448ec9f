import { type GenerateOptions, generate, type LanguageModel } from "./generate.js";

/** What text generation asks of a tokenizer. */
export interface TextCodec {
  encode(text: string): ArrayLike<number>;
  decode(ids: ArrayLike<number>): string;
}

export interface GenerateTextOptions extends Omit<GenerateOptions, "maxNewTokens" | "onToken" | "topK"> {
  readonly prompt: string;
  readonly maxTokens: number;
  /** 0: all tokens. */
  readonly topK?: number;
  /** Called with each piece of text that is whole; a character that takes several tokens comes in one piece. */
  readonly onText?: (piece: string) => void;
}

/** Tokens that can be one unfinished character. */
const maxPending = 4;

/**
 * The text after a prompt. Synchronous: for the CPU backend.
 *
 * @throws {ValueError} as `generate`, and what the tokenizer says of the prompt.
 */
export function generateText(model: LanguageModel, codec: TextCodec, options: GenerateTextOptions): string {
  const { prompt, maxTokens, topK = 0, onText, ...rest } = options;
  let pending: number[] = [];
  const flush = (): void => {
    if (pending.length > 0) onText?.(codec.decode(pending));
    pending = [];
  };
  const tokens = generate(model, codec.encode(prompt), {
    ...rest,
    ...(topK === 0 ? {} : { topK }),
    maxNewTokens: maxTokens,
    onToken: (token) => {
      pending.push(token);
      if (pending.length >= maxPending || !codec.decode(pending).endsWith("\ufffd")) flush();
    },
  });
  flush();
  return codec.decode(tokens);
}
