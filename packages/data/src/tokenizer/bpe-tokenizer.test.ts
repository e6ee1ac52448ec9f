import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { FormatError } from "@lockstep/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createStreamDecoder, loadTokenizer, trainByteLevelBpe } from "../index.js";

const corpus = [
  "Fellow-citizens of the Senate and of the House of Representatives: the state of the Union is the state of its people.",
  "We've told the people that they'll see the union's promise kept; the people have told us the same.",
  "In 1945 there were 48 states. In 1959 there were 50.\n\n  Indented   lines, tabs\tand trailing spaces   \n",
  "Größe, façade, наука, 数学, naïve café — “quoted” … 😀👍🏽",
];
const endOfText = "<|endoftext|>";
const tokenizer = trainByteLevelBpe(corpus, { vocabSize: 300, specialTokens: [endOfText] });

const texts = [
  ...corpus,
  "",
  " ",
  "\n\n\n",
  "the  people's 1234 don't WE'LL I'd",
  "unseen words: zyzzyva, Ελληνικά, العربية, 한국어, 🧑‍🚀",
  `first${endOfText}second${endOfText}${endOfText}`,
  "a\u0000b\u007f\u00a0\u00adc\ufeffd",
];

describe("trainByteLevelBpe", () => {
  test("learns the most frequent pair first, and of equals the one with the smaller ids", () => {
    const small = trainByteLevelBpe(["aab aab aab aac", "bd"], { vocabSize: 259 });
    const [first, second, third] = (JSON.parse(small.save()) as { model: { merges: string[][] } }).model.merges;
    // Words: "aab" once, " aab" twice, " aac" once, "bd" once.
    expect([first, second, third]).toEqual([
      ["a", "a"],
      ["Ġ", "aa"],
      ["Ġaa", "b"],
    ]);
  });

  test("stops when no pair occurs twice", () => {
    expect(trainByteLevelBpe(["abc"], { vocabSize: 400 }).vocabSize).toBe(256);
  });

  test("uses fewer tokens than bytes on text like that it learned from", () => {
    const text = "the people of the union";
    expect(tokenizer.encode(text).length).toBeLessThan(text.length / 2);
    expect(tokenizer.vocabSize).toBe(300);
  });

  test("gives the same file every time", () => {
    expect(trainByteLevelBpe(corpus, { vocabSize: 300, specialTokens: [endOfText] }).save()).toBe(tokenizer.save());
  });

  test("decodes what it encoded, for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
    );
  });

  test("refuses a vocabulary smaller than the bytes, and empty texts", () => {
    const tooSmall =
      "trainByteLevelBpe: vocabSize is 256; it must be a whole number in 257..1000000 (256 bytes and 1 special tokens are always there).";
    expect(() => trainByteLevelBpe(corpus, { vocabSize: 256, specialTokens: [endOfText] })).toThrow(
      expect.objectContaining({ name: "ValueError", code: "E_VALUE", message: tooSmall }),
    );
    const empty =
      "trainByteLevelBpe: the texts are empty; there must be at least one word. Check the files of the job.";
    expect(() => trainByteLevelBpe(["", ""], { vocabSize: 300 })).toThrow(
      expect.objectContaining({ name: "ValueError", code: "E_TEXT_EMPTY", message: empty }),
    );
  });

  test("says which token is out of the vocabulary", () => {
    const message = "bpeTokenizer.decode: token 300 at position 1 is out of the vocabulary; it must be in 0..299.";
    expect(() => tokenizer.decode([1, 300])).toThrow(expect.objectContaining({ code: "E_TOKEN_RANGE", message }));
  });
});

describe("tokenizer.json", () => {
  test.each(texts)("@huggingface/tokenizers reads it and gives the same ids and text for %j", (text) => {
    const theirs = new HuggingFaceTokenizer(JSON.parse(tokenizer.save()), {});
    const ids = [...tokenizer.encode(text)];
    expect(theirs.encode(text, { add_special_tokens: false }).ids).toEqual(ids);
    if (ids.length === 0) return; // it refuses to decode nothing
    expect(theirs.decode(ids, { skip_special_tokens: false, clean_up_tokenization_spaces: false })).toBe(text);
  });

  test.each(texts)("loads again and gives the same ids for %j", (text) => {
    expect([...loadTokenizer(tokenizer.save()).encode(text)]).toEqual([...tokenizer.encode(text)]);
  });

  test("loads files of older programs: merges as text, special tokens listed twice", () => {
    const json = JSON.parse(tokenizer.save());
    json.model.merges = json.model.merges.map((pair: string[]) => pair.join(" "));
    json.model.vocab[endOfText] = 299;
    const loaded = loadTokenizer(JSON.stringify(json));
    for (const text of texts) expect([...loaded.encode(text)]).toEqual([...tokenizer.encode(text)]);
  });

  type Path = readonly (string | number)[];
  test.each([
    {
      path: ["model", "type"],
      value: "Unigram",
      message: 'model is "Unigram"; it must be a BPE model with vocab and merges.',
    },
    { path: ["normalizer"], value: { type: "NFC" }, message: 'normalizer is {"type":"NFC"}; it must be null.' },
    { path: ["pre_tokenizer"], value: null, message: "pre_tokenizer is null; it must be ByteLevel." },
    { path: ["decoder", "type"], value: "Fuse", message: 'decoder is "Fuse"; it must be ByteLevel.' },
    {
      path: ["pre_tokenizer"],
      value: { type: "ByteLevel", add_prefix_space: true },
      message:
        'pre_tokenizer is {"type":"ByteLevel","add_prefix_space":true}; it must be ByteLevel with add_prefix_space false and use_regex true.',
    },
    { path: ["model", "dropout"], value: 0.1, message: "model.dropout is 0.1; it must be null." },
    { path: ["model", "byte_fallback"], value: true, message: "model.byte_fallback is true; it must be false." },
    { path: ["model", "vocab", "a"], value: 5000, message: 'id of "a" is 5000; it must be a whole number in 0..299.' },
    { path: ["model", "vocab", "a"], value: 3, message: /^id of ".+" is 3; it must be used by one token only\.$/ },
    {
      path: ["model", "vocab"],
      value: { x: 0 },
      message: 'id of "<|endoftext|>" is 299; it must be a whole number in 0..1.',
    },
    { path: ["model", "merges", 0], value: ["a"], message: 'model.merges is ["a"]; it must be pairs "left right".' },
    {
      path: ["model", "merges", 0],
      value: ["zz", "q"],
      message: 'model.merges is "zz"; it must be made of tokens of the vocabulary.',
    },
    { path: ["added_tokens"], value: {}, message: "added_tokens is {}; it must be a list." },
    { path: ["added_tokens", 0], value: 7, message: "added_tokens is 7; it must be a list of {id, content}." },
    { path: ["added_tokens", 0, "lstrip"], value: true, message: "added_tokens lstrip is true; it must be false." },
  ] as { path: Path; value: unknown; message: string | RegExp }[])("does not load a file where $message", (row) => {
    const json = JSON.parse(tokenizer.save());
    let place = json;
    for (const key of row.path.slice(0, -1)) place = place[key];
    place[row.path.at(-1)!] = row.value;
    const message =
      typeof row.message === "string"
        ? `loadTokenizer: ${row.message}`
        : expect.stringMatching(row.message.source.slice(1));
    expect(() => loadTokenizer(JSON.stringify(json))).toThrow(
      expect.objectContaining({ name: "FormatError", code: "E_FORMAT", message }),
    );
  });

  test("does not load what is no JSON, or no object", () => {
    expect(() => loadTokenizer("{")).toThrow(/^loadTokenizer: the file is not JSON \(.+\); it must be\.$/);
    expect(() => loadTokenizer("[]")).toThrow(
      "loadTokenizer: the file is JSON but no object; it must be a saved tokenizer.",
    );
  });

  test("only ever throws FormatError, for any JSON", () => {
    const good = JSON.parse(tokenizer.save());
    const anyFile = fc.oneof(
      fc.json(),
      fc
        .tuple(fc.constantFrom(...Object.keys(good)), fc.jsonValue())
        .map(([key, value]) => JSON.stringify({ ...good, [key]: value })),
      fc
        .tuple(fc.constantFrom(...Object.keys(good.model)), fc.jsonValue())
        .map(([key, value]) => JSON.stringify({ ...good, model: { ...good.model, [key]: value } })),
    );
    fc.assert(
      fc.property(anyFile, (text) => {
        try {
          loadTokenizer(text);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
    );
  });
});

describe("createStreamDecoder", () => {
  test("gives whole characters only, and all of them", () => {
    const text = "né 👍🏽 数";
    const stream = createStreamDecoder(tokenizer);
    const pieces = [...tokenizer.encode(text)].map((id) => stream.push(id));
    expect(pieces.join("") + stream.flush()).toBe(text);
    expect(pieces.some((piece) => piece.includes("\ufffd"))).toBe(false);
    expect(pieces.filter((piece) => piece !== "").length).toBeGreaterThan(4);
  });
});
