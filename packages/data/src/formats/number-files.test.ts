import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeIdx, decodeWav, encodeWav } from "../index.js";

const ascii = (text: string) => [...new TextEncoder().encode(text)];
const little = (value: number, bytes: number) => Array.from({ length: bytes }, (_, i) => (value / 2 ** (8 * i)) & 0xff);

/** A WAV file by hand: encoding, channels, rate, bits, then the data. */
function wav(format: { tag?: number; channels?: number; bits: number; extensible?: boolean }, data: readonly number[]) {
  const { tag = 1, channels = 1, bits, extensible = false } = format;
  const block = (channels * bits) / 8;
  const fmt = [
    ...little(extensible ? 0xfffe : tag, 2),
    ...little(channels, 2),
    ...little(8000, 4),
    ...little(8000 * block, 4),
    ...little(block, 2),
    ...little(bits, 2),
  ];
  const extension = extensible
    ? [...little(22, 2), ...little(bits, 2), ...little(0, 4), ...little(tag, 2), ...Array(14).fill(0)]
    : [];
  const body = [
    ...ascii("WAVE"),
    ...[...ascii("fmt "), ...little(fmt.length + extension.length, 4), ...fmt, ...extension],
    ...[...ascii("LIST"), ...little(3, 4), 1, 2, 3, 0], // an odd chunk and its pad byte
    ...[...ascii("data"), ...little(data.length, 4), ...data],
  ];
  return Uint8Array.from([...ascii("RIFF"), ...little(body.length, 4), ...body]);
}

describe("decodeWav", () => {
  test.each([
    { format: { bits: 8 }, data: [0, 128, 255], samples: [-1, 0, 127 / 128] },
    { format: { bits: 16 }, data: [0, 0x80, 0xff, 0x7f, 0, 0x40], samples: [-1, 32767 / 32768, 0.5] },
    { format: { bits: 24 }, data: [0, 0, 0x80, 1, 0, 0, 0xff, 0xff, 0xff], samples: [-1, 2 ** -23, -(2 ** -23)] },
    { format: { bits: 32 }, data: [0, 0, 0, 0x80, 0, 0, 0, 0x20], samples: [-1, 0.25] },
    { format: { tag: 3, bits: 32 }, data: [0, 0, 0x80, 0x3e], samples: [0.25] },
    { format: { tag: 3, bits: 64 }, data: [0, 0, 0, 0, 0, 0, 0xe0, 0xbf], samples: [-0.5] },
    { format: { bits: 16, extensible: true }, data: [0, 0x40], samples: [0.5] },
  ])("reads samples of $format", ({ format, data, samples }) => {
    expect(decodeWav(wav(format, data))).toEqual({ sampleRate: 8000, channels: [new Float32Array(samples)] });
  });

  test("takes channels apart", () => {
    const { channels } = decodeWav(wav({ bits: 8, channels: 2 }, [0, 128, 64, 192]));
    expect(channels.map((samples) => Array.from(samples))).toEqual([
      [-1, -0.5],
      [0, 0.5],
    ]);
  });

  test("reads back what encodeWav wrote, to the bit", () => {
    const samples = fc.float32Array({ minLength: 0, maxLength: 20, noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(samples, (left) => {
        const clip = { sampleRate: 44100, channels: [left, left.map((value) => -value)] };
        expect(decodeWav(encodeWav(clip))).toEqual(clip);
      }),
    );
  });

  const good = wav({ bits: 16 }, [1, 2, 3, 4]);
  test.each([
    {
      make: () => decodeWav(good.subarray(0, good.length - 1), { file: "a.wav" }),
      message:
        'decodeWav: a.wav, byte 56: ends after 59 bytes; chunk "data" must have 4 bytes here, 3 are left. Is the file cut off?',
    },
    {
      make: () => decodeWav(good.subarray(0, 45), { file: "a.wav" }),
      message:
        'decodeWav: a.wav, byte 44: ends after 45 bytes; chunk "LIST" must have 3 bytes here, 1 are left. Is the file cut off?',
    },
    {
      make: () => decodeWav(good.subarray(0, 36), { file: "a.wav" }),
      message:
        'decodeWav: a.wav, byte 36: ends without a "data" chunk; there must be one after "fmt ". Is the file cut off?',
    },
    {
      make: () => decodeWav(wav({ tag: 85, bits: 16 }, []), { file: "a.wav" }),
      message:
        "decodeWav: a.wav, byte 20: has encoding 85 of 16 bits; it must be PCM (1) of 8, 16, 24 or 32 bits, or float (3) of 32 or 64. Convert it.",
    },
    {
      make: () => decodeWav(wav({ bits: 16 }, [1, 2, 3]), { file: "a.wav" }),
      message:
        "decodeWav: a.wav, byte 56: has 3 bytes of data; they must be a multiple of 2, one frame (1 channels of 16 bits).",
    },
    {
      make: () => decodeWav(wav({ tag: 3, bits: 32, channels: 2 }, [0, 0, 0, 0, 0, 0, 0xc0, 0x7f]), { file: "a.wav" }),
      message: "decodeWav: a.wav, byte 60: is NaN in frame 0, channel 1; every sample must be finite in f32.",
    },
    {
      make: () => decodeWav(wav({ tag: 3, bits: 64 }, [0, 0, 0, 0, 0, 0, 0xe0, 0x7f]), { file: "a.wav" }),
      message: "decodeWav: a.wav, byte 56: is Infinity in frame 0, channel 0; every sample must be finite in f32.",
    },
    {
      make: () => decodeWav(Uint8Array.from(ascii("OggS........")), { file: "a.ogg" }),
      message: 'decodeWav: a.ogg, byte 0: begins with "OggS" and "....": it must'.slice(0, 52),
    },
  ])("says: $message", ({ make, message }) => {
    expect(make).toThrow(expect.objectContaining({ code: "E_FILE_FORMAT", message: expect.stringContaining(message) }));
  });
});

test("encodeWav refuses what decodeWav would", () => {
  expect(() => encodeWav({ sampleRate: 1, channels: [Float32Array.of(0), Float32Array.of(Number.NaN)] })).toThrow(
    expect.objectContaining({ code: "E_AUDIO", message: "encodeWav: channel 1, sample 0 is NaN; it must be finite." }),
  );
});

test.each([
  { name: "WAV", bytes: wav({ bits: 16, channels: 2, extensible: true }, [1, 2, 3, 4, 5, 6, 7, 8]), decode: decodeWav },
  { name: "IDX", bytes: Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4), decode: decodeIdx },
])("a $name file is refused wherever it is cut, with file and byte", ({ bytes, decode }) => {
  for (let cut = 0; cut < bytes.length; cut++) {
    expect(() => decode(bytes.subarray(0, cut), { file: "a" })).toThrow(
      expect.objectContaining({ code: "E_FILE_FORMAT", message: expect.stringMatching(/^decode\w+: a, byte \d+: /) }),
    );
  }
});

describe("decodeIdx", () => {
  const head = (type: number, ...shape: number[]) => [
    ...[0, 0, type, shape.length],
    ...shape.flatMap((n) => [0, 0, 0, n]),
  ];
  test.each([
    { bytes: [...head(8, 2, 3), 1, 2, 3, 4, 5, 255], values: new Uint8Array([1, 2, 3, 4, 5, 255]), shape: [2, 3] },
    { bytes: [...head(9, 1), 255], values: new Int8Array([-1]), shape: [1] },
    { bytes: [...head(11, 1), 1, 2], values: new Int16Array([258]), shape: [1] },
    { bytes: [...head(12, 1), 0xff, 0xff, 0xff, 0xfe], values: new Int32Array([-2]), shape: [1] },
    { bytes: [...head(13, 1), 0x3f, 0, 0, 0], values: new Float32Array([0.5]), shape: [1] },
    { bytes: [...head(14, 1), 0xbf, 0xf0, 0, 0, 0, 0, 0, 0], values: new Float64Array([-1]), shape: [1] },
    { bytes: head(8, 0), values: new Uint8Array(0), shape: [0] },
  ])("reads $values", ({ bytes, values, shape }) => {
    expect(decodeIdx(Uint8Array.from(bytes))).toEqual({ shape, values });
  });

  test.each([
    {
      bytes: [...head(8, 2, 3), 1, 2],
      message:
        "decodeIdx: train-images, byte 12: ends after 14 bytes; an array of shape [2, 3] must have 6 bytes here, 2 are left. Is the file cut off?",
    },
    {
      bytes: [...head(8, 1), 1, 2],
      message: "decodeIdx: train-images, byte 9: has 1 bytes more; an array of shape [1] must end here.",
    },
    {
      bytes: [0x1f, 0x8b, 8, 0],
      message:
        "decodeIdx: train-images, byte 0: is compressed by gzip; it must be the IDX file itself. Run gunzip on it.",
    },
    {
      bytes: head(7, 1),
      message:
        "decodeIdx: train-images, byte 0: has the magic number 0x00000701; it must be 0x0000TTDD with type TT 08, 09, 0b, 0c, 0d or 0e and DD dims.",
    },
    {
      bytes: [0, 0],
      message:
        "decodeIdx: train-images, byte 0: ends after 2 bytes; the magic number must have 4 bytes here, 2 are left. Is the file cut off?",
    },
  ])("says: $message", ({ bytes, message }) => {
    expect(() => decodeIdx(Uint8Array.from(bytes), { file: "train-images" })).toThrow(
      expect.objectContaining({ name: "FormatError", code: "E_FILE_FORMAT", message }),
    );
  });
});
