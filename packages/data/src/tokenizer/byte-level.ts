/**
 * @file How byte-level BPE writes bytes as visible characters, and how it cuts a text into words before merging.
 *
 * @source GPT-2's encoder.py (bytes_to_unicode and the pattern); the `ByteLevel` pre-tokenizer of Hugging Face tokenizers.
 */

/** Character that stands for each byte. */
export const characterOfByte: readonly string[] = makeTable();

/** Byte of each character of the table. */
const byteOfCharacter: ReadonlyMap<string, number> = new Map(
  characterOfByte.map((character, byte) => [character, byte]),
);

function makeTable(): string[] {
  const isPrintable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isPrintable(byte) ? byte : next++));
}

const wordPattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Words of a text; together they are the text. */
export function splitWords(text: string): string[] {
  return text.match(wordPattern) ?? [];
}

const encoder = new TextEncoder();

/** The bytes of a word (UTF-8), each as its character. */
export function toByteCharacters(word: string): string[] {
  return Array.from(encoder.encode(word), (byte) => characterOfByte[byte]!);
}

/** Text of a string of byte characters; broken UTF-8 becomes U+FFFD. */
export function fromByteCharacters(text: string): string {
  const bytes = Uint8Array.from(text, (character) => byteOfCharacter.get(character) ?? 0x3f);
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
