import { decodeCsv } from "@lockstep/data";
import { gunzipSync } from "fflate";
import type { ImageSplit, LabelledImage } from "./labelled-images.js";

/** Where a job beside this folder finds the file. */
export const digitsFile = "../digits-data/digits.csv.gz";

const side = 8;
const numPixels = side * side;
const darkest = 16;

/**
 * The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn ships: the first 898 to train on, the others to test, as in scikit-learn's own
 * example, where people write in the second half who did not in the first.
 *
 * @throws {FormatError} E_FILE_FORMAT with the row when the text is not a table of numbers.
 */
export function readDigits(compressed: Uint8Array): ImageSplit {
  const { columns, numRows } = decodeCsv(gunzipSync(compressed), { file: "digits.csv", hasHeader: false });
  const cells = Object.values(columns) as Float64Array[]; // of a pixel each, the last the label
  const samples = Array.from({ length: numRows }, (_, row): LabelledImage => {
    const data = Float32Array.from({ length: numPixels }, (_, pixel) => cells[pixel]![row]! / darkest);
    return { image: { channels: 1, height: side, width: side, data }, label: cells[numPixels]![row]! };
  });
  const numTrain = Math.floor(numRows / 2);
  return { train: samples.slice(0, numTrain), test: samples.slice(numTrain) };
}
