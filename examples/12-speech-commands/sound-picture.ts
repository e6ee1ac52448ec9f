/**
 * @file The sounds of this example as one gray picture, log-mels.png: a column of tiles for each word, a row for each rendering. A tile is
 * numMels pixels high, low frequencies below, and numFrames wide; a decibel is four shades.
 */
import type { Spectrogram } from "@lockstep/data";
import { numFrames, numMels } from "./log-mels.js";

export interface GrayPicture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint16Array;
}

const shadesPerDecibel = 4;

/** @param rows for each rendering the sounds of all words */
export function drawSounds(rows: readonly (readonly Spectrogram[])[]): GrayPicture {
  const width = (rows[0]?.length ?? 0) * numFrames;
  const height = rows.length * numMels;
  const data = new Uint8Array(width * height);
  for (const [row, sounds] of rows.entries()) {
    for (const [column, { values }] of sounds.entries()) {
      for (let mel = 0; mel < numMels; mel++) {
        const begin = placeOf({ row, column, mel, width });
        for (let frame = 0; frame < numFrames; frame++) {
          data[begin + frame] = shadesPerDecibel * values[mel * numFrames + frame]!;
        }
      }
    }
  }
  return { width, height, data };
}

/** The sound of one tile. */
export function soundAt({ width, data }: GrayPicture, row: number, column: number): Spectrogram {
  const values = new Float64Array(numMels * numFrames);
  for (let mel = 0; mel < numMels; mel++) {
    const begin = placeOf({ row, column, mel, width });
    for (let frame = 0; frame < numFrames; frame++) {
      values[mel * numFrames + frame] = data[begin + frame]! / shadesPerDecibel;
    }
  }
  return { numBins: numMels, numFrames, values };
}

interface Place {
  readonly row: number;
  readonly column: number;
  readonly mel: number;
  readonly width: number;
}

function placeOf({ row, column, mel, width }: Place): number {
  return (row * numMels + numMels - 1 - mel) * width + column * numFrames;
}
