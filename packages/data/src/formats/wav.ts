/** @file WAV files: PCM of 8, 16, 24 and 32 bits, and floats of 32 and 64 bits, plain or "extensible". */
import { ValueError } from "@lockstep/core";
import type { AudioClip } from "../audio/audio-clip.js";
import { ByteReader } from "./byte-reader.js";
import type { DecodeOptions } from "./file-error.js";

interface WavFormat {
  readonly encoding: "pcm" | "float";
  readonly numChannels: number;
  readonly sampleRate: number;
  readonly bits: number;
}

type ReadSample = (view: DataView, at: number) => number;

/** All divisions are by powers of two, so they are exact where the number fits f32. */
const readers: Readonly<Record<string, ReadSample>> = {
  pcm8: (view, at) => (view.getUint8(at) - 128) / 128,
  pcm16: (view, at) => view.getInt16(at, true) / 32768,
  pcm24: (view, at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 8388608,
  pcm32: (view, at) => view.getInt32(at, true) / 2147483648,
  float32: (view, at) => view.getFloat32(at, true),
  float64: (view, at) => view.getFloat64(at, true),
};

/**
 * The sound of a WAV file, as f32 in [-1, 1).
 *
 * @throws {FormatError} E_FILE_FORMAT with file and byte: no RIFF/WAVE, an encoding other than PCM of 8, 16, 24, 32 bits and floats of 32, 64,
 *   a length of 0xffffffff (a stream that was never finished), a chunk that is longer than what is left, no "fmt " or "data", half a frame, a
 *   sample that is not finite.
 * @source Microsoft and IBM 1991, "Multimedia Programming Interface and Data Specifications 1.0"; WAVE_FORMAT_EXTENSIBLE by its sub-format.
 */
export function decodeWav(bytes: Uint8Array, options: DecodeOptions = {}): AudioClip {
  const reader = new ByteReader("decodeWav", bytes, options);
  const { view } = reader;
  const riff = reader.text(4, "the RIFF header");
  reader.take(4, "the RIFF header");
  const wave = reader.text(4, "the RIFF header");
  if (riff !== "RIFF" || wave !== "WAVE") {
    throw reader.error(
      `begins with ${JSON.stringify(riff)} and ${JSON.stringify(wave)}`,
      'it must be "RIFF" and "WAVE".',
      {},
      0,
    );
  }
  let format: WavFormat | undefined;
  while (reader.numBytesLeft >= 8) {
    const name = reader.text(4, "a chunk");
    const length = view.getUint32(reader.take(4, "a chunk"), true);
    if (name === "data") return readFrames(reader, format, length);
    const begin = reader.take(length, `chunk ${JSON.stringify(name)}`);
    if (name === "fmt ") format = readFormat(reader, begin, length);
    if (length % 2 === 1 && reader.numBytesLeft > 0) reader.at += 1; // chunks begin at even places
  }
  throw reader.error('ends without a "data" chunk', 'there must be one after "fmt ". Is the file cut off?');
}

function readFormat(reader: ByteReader, begin: number, length: number): WavFormat {
  const { view } = reader;
  if (length < 16)
    throw reader.error(`has a "fmt " chunk of ${length} bytes`, "it must have at least 16.", { length }, begin);
  const plainTag = view.getUint16(begin, true);
  const tag = plainTag === 0xfffe && length >= 40 ? view.getUint16(begin + 24, true) : plainTag;
  const numChannels = view.getUint16(begin + 2, true);
  const sampleRate = view.getUint32(begin + 4, true);
  const bits = view.getUint16(begin + 14, true);
  const encoding = tag === 1 ? "pcm" : tag === 3 ? "float" : undefined;
  if (encoding === undefined || !Object.hasOwn(readers, `${encoding}${bits}`)) {
    throw reader.error(
      `has encoding ${tag} of ${bits} bits`,
      "it must be PCM (1) of 8, 16, 24 or 32 bits, or float (3) of 32 or 64. Convert it.",
      { encoding: tag, bits },
      begin,
    );
  }
  if (numChannels === 0 || sampleRate === 0) {
    throw reader.error(
      `has ${numChannels} channels and a sample rate of ${sampleRate}`,
      "both must be at least 1.",
      { numChannels, sampleRate },
      begin,
    );
  }
  return { encoding, numChannels, sampleRate, bits };
}

function readFrames(reader: ByteReader, format: WavFormat | undefined, length: number): AudioClip {
  if (format === undefined) throw reader.error('has "data" before "fmt "', "the format must come first.");
  if (length === 0xffffffff) {
    throw reader.error(
      "has a length of 0xffffffff in its data chunk",
      "it must be the number of bytes. The file was written as a stream and never finished: convert it.",
    );
  }
  const { encoding, numChannels, sampleRate, bits } = format;
  const frameBytes = (numChannels * bits) / 8;
  const begin = reader.take(length, 'chunk "data"');
  const numFrames = length / frameBytes;
  if (!Number.isInteger(numFrames)) {
    throw reader.error(
      `has ${length} bytes of data`,
      `they must be a multiple of ${frameBytes}, one frame (${numChannels} channels of ${bits} bits).`,
      { length, frameBytes },
      begin,
    );
  }
  const read = readers[`${encoding}${bits}`]!;
  const channels = Array.from({ length: numChannels }, () => new Float32Array(numFrames));
  for (const [c, samples] of channels.entries()) {
    for (let i = 0; i < numFrames; i++) {
      const at = begin + i * frameBytes + (c * bits) / 8;
      samples[i] = read(reader.view, at);
      if (encoding === "pcm" || Number.isFinite(samples[i])) continue;
      throw reader.error(
        `is ${samples[i]} in frame ${i}, channel ${c}`,
        "every sample must be finite in f32.",
        { frame: i, channel: c },
        at,
      );
    }
  }
  return { sampleRate, channels };
}

/**
 * A WAV file of floats of 32 bits, which decodeWav reads back to the same bits.
 *
 * @throws {ValueError} E_AUDIO without channels, when they differ in length, or for a sample that is not finite.
 * @source As decodeWav.
 */
export function encodeWav({ sampleRate, channels }: AudioClip): Uint8Array {
  const numFrames = channels[0]?.length ?? 0;
  if (channels.length === 0 || channels.some(({ length }) => length !== numFrames)) {
    const lengths = channels.map(({ length }) => length);
    throw new ValueError(
      `encodeWav: the channels have ${lengths.join(", ") || "no"} samples; there must be at least one channel, all of one length.`,
      { lengths },
      "E_AUDIO",
    );
  }
  for (const [c, samples] of channels.entries()) {
    const i = samples.findIndex((sample) => !Number.isFinite(sample));
    if (i < 0) continue;
    throw new ValueError(
      `encodeWav: channel ${c}, sample ${i} is ${samples[i]}; it must be finite.`,
      { channel: c, sample: i },
      "E_AUDIO",
    );
  }
  const frameBytes = channels.length * 4;
  const bytes = new Uint8Array(44 + numFrames * frameBytes);
  const view = new DataView(bytes.buffer);
  const put = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  put(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  put(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 3, true);
  view.setUint16(22, channels.length, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * frameBytes, true);
  view.setUint16(32, frameBytes, true);
  view.setUint16(34, 32, true);
  put(36, "data");
  view.setUint32(40, numFrames * frameBytes, true);
  for (const [c, samples] of channels.entries()) {
    for (let i = 0; i < numFrames; i++) view.setFloat32(44 + i * frameBytes + c * 4, samples[i]!, true);
  }
  return bytes;
}
