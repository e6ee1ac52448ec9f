import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { charTokenizer, loadTokenizer } from "../index.js";

describe("charTokenizer", () => {
  test("numbers the characters of a text in ascending order of code points", () => {
    const tokenizer = charTokenizer("bač😀a");
    expect(tokenizer.characters).toEqual(["a", "b", "č", "😀"]);
    expect([...tokenizer.encode("😀ab")]).toEqual([3, 0, 1]);
  });

  test("decodes what it encoded, also after saving and loading", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1 }), (text) => {
        const tokenizer = charTokenizer(text);
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
        const loaded = loadTokenizer(tokenizer.save());
        expect([...loaded.encode(text)]).toEqual([...tokenizer.encode(text)]);
      }),
    );
  });

  test("puts the unknown character for those it does not have, also after loading", () => {
    const tokenizer = charTokenizer("ab?", { unknown: "?" });
    expect(tokenizer.decode(tokenizer.encode("abc"))).toBe("ab?");
    expect(loadTokenizer(tokenizer.save()).decode(tokenizer.encode("xa"))).toBe("?a");
  });

  test.each([
    {
      make: () => charTokenizer(""),
      code: "E_TEXT_EMPTY",
      message: "charTokenizer: the text is empty; it must have at least one character. Check the files of the job.",
    },
    {
      make: () => charTokenizer("ab", { unknown: "?" }),
      code: "E_UNKNOWN_CHARACTER",
      message: 'charTokenizer: unknown is "?"; it must be one of the 2 characters of the vocabulary.',
    },
    {
      make: () => charTokenizer("ab").encode("abé"),
      code: "E_UNKNOWN_CHARACTER",
      message:
        'charTokenizer.encode: character "é" (U+00E9) at position 2 is not one of the 2 characters of the vocabulary. Make the vocabulary from all texts, or give an `unknown` character.',
    },
    {
      make: () => charTokenizer("ab").decode([0, 2]),
      code: "E_TOKEN_RANGE",
      message: "charTokenizer.decode: token 2 at position 1 is out of the vocabulary; it must be in 0..1.",
    },
  ])("says: $message", ({ make, code, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", code, message }));
  });

  test.each([
    `{"kind":"char","schema":2,"characters":["a"],"unknown":null}`,
    `{"kind":"char","schema":1,"characters":["a","a"],"unknown":null}`,
    `{"kind":"char","schema":1,"characters":["ab"],"unknown":null}`,
    `{"kind":"char","schema":1,"characters":["a"],"unknown":"b"}`,
  ])("does not load %s", (text) => {
    expect(() => loadTokenizer(text)).toThrow(
      expect.objectContaining({
        name: "FormatError",
        message:
          'loadTokenizer: a character tokenizer must be {schema: 1, kind: "char", characters: [distinct characters], unknown: null or one of them}; this file is not. Save it again with `save()`.',
      }),
    );
  });
});
