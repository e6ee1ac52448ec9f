import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { readGolden } from "../golden.testkit.js";
import {
  type Augmentation,
  createFft,
  hertzToMel,
  logSpectrogram,
  melFilterBank,
  melSpectrogram,
  melToHertz,
  mfcc,
  monoSamples,
  powerToDecibels,
  randomGain,
  resampleAudio,
  type Spectrogram,
  sampleDraws,
  specAugment,
  spectrogram,
  stft,
  timeShift,
  whiteNoise,
} from "../index.js";

interface FftCase {
  readonly re: number[];
  readonly im: number[];
  readonly outRe: number[];
  readonly outIm: number[];
}
interface StftCase {
  readonly fft_size: number;
  readonly hop: number;
  readonly window_length: number;
  readonly center?: boolean;
  readonly shape: [number, number];
  readonly re: number[];
  readonly im: number[];
}
interface MelCase {
  readonly bank: number[];
  readonly mels: number[];
  readonly decibels: number[];
  readonly mfcc: number[];
}
const golden = readGolden<{ sound: number[] }>("audio");
const caseOf = <Case>(name: string) => (golden as unknown as Record<string, Case>)[name]!;
const names = (prefix: string) => Object.keys(golden).filter((name) => name.startsWith(prefix));
const sound = Float32Array.from(golden.sound);
const sampleRate = 8000;

/** Largest difference, as a share of the largest number. */
function worst(actual: ArrayLike<number>, expected: readonly number[]): number {
  expect(actual.length).toBe(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(value - actual[i]!))) / largest;
}

describe("transforms of sound are NumPy's", () => {
  test.each(names("fft/"))("%s", (name) => {
    const { re, im, outRe, outIm } = caseOf<FftCase>(name);
    const [x, y] = [Float64Array.from(re), Float64Array.from(im)];
    const fft = createFft(re.length);
    fft.forward(x, y);
    expect(worst(x, outRe)).toBeLessThan(1e-13);
    expect(worst(y, outIm)).toBeLessThan(1e-13);
    const again = [Float64Array.from(re), Float64Array.from(im)] as const;
    fft.forward(...again);
    expect(again).toEqual([x, y]); // nothing is left over from the call before
  });

  test.each(names("stft/"))("%s", (name) => {
    const {
      fft_size: fftSize,
      hop: hopLength,
      window_length: windowLength,
      center = true,
      ...expected
    } = caseOf<StftCase>(name);
    const out = stft(sound, { fftSize, hopLength, windowLength, center });
    expect([out.numBins, out.numFrames]).toEqual(expected.shape);
    expect(worst(out.re, expected.re)).toBeLessThan(1e-13);
    expect(worst(out.im, expected.im)).toBeLessThan(1e-13);
  });

  test.each(["htk", "slaney"] as const)("mels, decibels and cepstra on the scale %s", (melScale) => {
    const expected = caseOf<MelCase>(`mel/${melScale}`);
    const norm = melScale === "slaney" ? "slaney" : "none";
    const options = { sampleRate, fftSize: 256, numMels: 20, melScale, norm } as const;
    expect(worst(melFilterBank(options), expected.bank)).toBeLessThan(1e-12);
    const mels = melSpectrogram(sound, options);
    expect(worst(mels.values, expected.mels)).toBeLessThan(1e-12);
    expect(worst(powerToDecibels(mels).values, expected.decibels)).toBeLessThan(1e-12);
    expect(worst(mfcc(sound, { ...options, numCoefficients: 13 }).values, expected.mfcc)).toBeLessThan(1e-12);
    for (const hertz of [0, 60, 999, 1000, 3900]) {
      expect(melToHertz(hertzToMel(hertz, { melScale }), { melScale })).toBeCloseTo(hertz, 8);
    }
  });

  test.each(names("resample/"))("%s", (name) => {
    const out = resampleAudio({ sampleRate, channels: [sound] }, Number(name.slice("resample/".length)));
    expect(worst(out.channels[0]!, caseOf<number[]>(name))).toBeLessThan(1e-7); // rounded to f32
  });

  test("give committed bits", () => {
    const { values } = mfcc(sound, { sampleRate, fftSize: 200, numMels: 20 });
    const bytes = new Uint8Array(values.buffer);
    expect(createHash("sha256").update(bytes).digest("hex").slice(0, 16)).toMatchInlineSnapshot(`"470a98e22183cd99"`);
  });

  test("magnitude is the root of power; windows and logarithm", () => {
    const power = spectrogram(sound, { fftSize: 64 });
    const magnitude = spectrogram(sound, { fftSize: 64, power: 1 });
    expect(
      worst(
        magnitude.values.map((value) => value * value),
        Array.from(power.values),
      ),
    ).toBeLessThan(1e-15);
    const ones = spectrogram(new Float32Array(8).fill(1), {
      fftSize: 8,
      window: "rectangular",
      center: false,
      power: 1,
    });
    expect(Array.from(ones.values, (value) => Math.round(value * 1e9) / 1e9)).toEqual([8, 0, 0, 0, 0]);
    const hamming = spectrogram(new Float32Array(8).fill(1), {
      fftSize: 8,
      window: "hamming",
      center: false,
      power: 1,
    });
    expect(hamming.values[0]).toBeCloseTo(8 * 0.54, 12);
    expect(
      Array.from(logSpectrogram({ numBins: 1, numFrames: 2, values: Float64Array.of(Math.E, 0) }, { floor: 1 }).values),
    ).toEqual([1, 0]);
  });

  test("decibels end 80 below the largest unless told otherwise, and count from a reference", () => {
    const power: Spectrogram = { numBins: 1, numFrames: 3, values: Float64Array.of(10, 1e-3, 1e-12) };
    const rounded = (options: object) =>
      Array.from(powerToDecibels(power, options).values, (x) => Math.round(x * 1e6) / 1e6);
    expect(rounded({})).toEqual([10, -30, -70]);
    expect(rounded({ topDecibels: 25 })).toEqual([10, -15, -15]);
    expect(rounded({ topDecibels: Number.POSITIVE_INFINITY })).toEqual([10, -30, -100]);
    expect(rounded({ reference: 10, floor: 1e-2 })).toEqual([0, -30, -30]);
  });

  test("monoSamples is the mean of the channels; a rate that stays changes nothing", () => {
    const clip = { sampleRate, channels: [Float32Array.of(1, 0), Float32Array.of(0, -1)] };
    expect(Array.from(monoSamples(clip))).toEqual([0.5, -0.5]);
    expect(resampleAudio(clip, sampleRate)).toBe(clip);
  });

  test.each([
    {
      make: () => stft(new Float32Array(10), { fftSize: 64 }),
      message: "stft: there are 10 samples; there must be at least 33 for a transform of 64.",
    },
    {
      make: () => stft(sound, { fftSize: 8, windowLength: 9 }),
      message: "stft: windowLength is 9 and fftSize 8; the first must not be larger.",
    },
    {
      make: () => melFilterBank({ sampleRate, fftSize: 64, numMels: 128 }),
      message:
        "melFilterBank: mel 0 of 128 lies between two bins of 125 Hz; every mel must catch at least one. Lower numMels or raise fftSize.",
    },
    {
      make: () => melFilterBank({ sampleRate, maxFrequency: 5000 }),
      message:
        "melFilterBank: minFrequency is 0 and maxFrequency 5000 at a sample rate of 8000; they must ascend in 0..4000.",
    },
    {
      make: () => mfcc(sound, { sampleRate, fftSize: 256, numMels: 10, numCoefficients: 11 }),
      message: "mfcc: numCoefficients is 11 of 10 mels; it must not be larger.",
    },
    {
      make: () => resampleAudio({ sampleRate, channels: [] }, 0),
      message: "resampleAudio: sampleRate is 0; it must be a whole number of at least 1.",
    },
    {
      make: () => monoSamples({ sampleRate, channels: [] }),
      message: "monoSamples: there are 0 channels; there must be at least one.",
    },
  ])("say: $message", ({ make, message }) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", code: "E_AUDIO", message }));
  });
});

describe("augmentations of sounds", () => {
  const drawsOf = (index: number) => sampleDraws({ seed: 2, epoch: 0, index });
  const many = (count: number) => Array.from({ length: count }, (_, i) => i);
  const powerOf = (samples: Float32Array) => samples.reduce((sum, x) => sum + x * x, 0) / samples.length;

  test("randomGain changes the power by decibels", () => {
    const louder = randomGain({ decibels: [20, 20] })(sound, drawsOf(0));
    expect(powerOf(louder) / powerOf(sound)).toBeCloseTo(100, 3);
    const ratios = many(300).map(
      (index) => 10 * Math.log10(powerOf(randomGain({ decibels: [-6, 6] })(sound, drawsOf(index))) / powerOf(sound)),
    );
    expect(Math.min(...ratios)).toBeGreaterThanOrEqual(-6.001);
    expect(Math.max(...ratios) - Math.min(...ratios)).toBeGreaterThan(11);
  });

  test("whiteNoise has the power that the ratio says", () => {
    const long = Float32Array.from({ length: 20_000 }, (_, i) => sound[i % sound.length]!);
    const noise = whiteNoise({ snrDecibels: [10, 10] })(long, drawsOf(0)).map((value, i) => value - long[i]!);
    expect(10 * Math.log10(powerOf(long) / powerOf(noise))).toBeCloseTo(10, 0);
    expect(whiteNoise({ snrDecibels: [0, 0] })(new Float32Array(3), drawsOf(0))).toEqual(new Float32Array(3));
  });

  test("timeShift moves by every step in range, and fills with silence or wraps", () => {
    const samples = Float32Array.of(1, 2, 3);
    const outs = (fill: "silence" | "wrap") =>
      new Set(many(60).map((index) => timeShift({ maxShift: 1, fill })(samples, drawsOf(index)).join()));
    expect([...outs("silence")].sort()).toEqual(["0,1,2", "1,2,3", "2,3,0"]);
    expect([...outs("wrap")].sort()).toEqual(["1,2,3", "2,3,1", "3,1,2"]);
  });

  const ones: Spectrogram = { numBins: 4, numFrames: 6, values: new Float64Array(24).fill(1) };
  test("specAugment covers whole bins and whole frames, never more than the widths", () => {
    for (const index of many(40)) {
      const { values } = specAugment({ maxFrequencyWidth: 2, maxTimeWidth: 3 })(ones, drawsOf(index));
      const bins = many(4).filter((bin) => many(6).every((frame) => values[bin * 6 + frame] === 0));
      const frames = many(6).filter((frame) => many(4).every((bin) => values[bin * 6 + frame] === 0));
      expect([bins.length <= 2, frames.length <= 3]).toEqual([true, true]);
      const isCovered = (i: number) => bins.includes(Math.floor(i / 6)) || frames.includes(i % 6);
      expect(many(24).filter((i) => (values[i] === 0) !== isCovered(i))).toEqual([]);
    }
    const halves: Spectrogram = { ...ones, values: ones.values.map((_, i) => i % 2) };
    const augment = specAugment({ maxTimeWidth: 3, fill: "mean" });
    const filled = many(9).flatMap((index) => Array.from(augment(halves, drawsOf(index)).values));
    expect(new Set(filled)).toEqual(new Set([0, 0.5, 1]));
  });

  test("give the same bits for the same draws and do not write to their input", () => {
    const before = sound.slice();
    const augmentations: Augmentation<Float32Array>[] = [
      randomGain({ decibels: [-3, 3] }),
      whiteNoise({ snrDecibels: [5, 20] }),
      timeShift({ maxShift: 100 }),
    ];
    for (const augment of augmentations) expect(augment(sound, drawsOf(4))).toEqual(augment(sound, drawsOf(4)));
    expect(sound).toEqual(before);
    expect(() => timeShift({ maxShift: 0.5 })).toThrow(
      "timeShift: maxShift is 0.5; it must be a whole number of at least 0.",
    );
  });
});
