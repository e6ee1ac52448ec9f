import { decodeIdx, floatImage } from "@lockstep/data";
import { JobError, type JobFiles } from "@lockstep/worker";
import { gunzipSync } from "fflate";
import type { ImageSplit, LabelledImage } from "./labelled-images.js";

const howToGetIt =
  "On Debian: apt install dataset-fashion-mnist, then --set dataFolder=/usr/share/datasets/fashion-mnist. Elsewhere take the four files from github.com/zalandoresearch/fashion-mnist.";

/**
 * The folder of Fashion-MNIST for a job's `files()`, with how to get one.
 *
 * @throws {JobError} E_JOB_FILE when no folder is named.
 */
export function fashionMnistFolder(dataFolder: string): { readonly path: string; readonly ifMissing: string } {
  if (dataFolder !== "") return { path: dataFolder, ifMissing: howToGetIt };
  throw new JobError(
    `fashion-mnist: dataFolder is ""; it must be the folder with train-images-idx3-ubyte.gz and the other three files. ${howToGetIt}`,
    { dataFolder },
    "E_JOB_FILE",
  );
}

/**
 * The 60,000 images of 28 x 28 pixels to train on and the 10,000 to test, of the files under `name`, with or without ".gz".
 *
 * @throws {JobError} E_JOB_FILE when one of the four files is not there. {FormatError} E_FILE_FORMAT when one is no IDX file.
 */
export function readFashionMnist(files: JobFiles, name: string): ImageSplit {
  const read = (part: string) => {
    const all = files.list(name);
    const found = all.find(({ path }) => path === part || path === `${part}.gz`);
    if (found !== undefined) {
      const bytes = found.bytes();
      return decodeIdx(found.path.endsWith(".gz") ? gunzipSync(bytes) : bytes, { file: found.path });
    }
    const paths = all.map(({ path }) => path);
    throw new JobError(
      `fashion-mnist: the folder has ${paths.slice(0, 8).join(", ")}; it must have ${part} or ${part}.gz. ${howToGetIt}`,
      { paths, part },
      "E_JOB_FILE",
    );
  };
  const samplesOf = (part: string): LabelledImage[] => {
    const { shape, values } = read(`${part}-images-idx3-ubyte`);
    const labels = read(`${part}-labels-idx1-ubyte`).values;
    const [count = 0, height = 0, width = 0] = shape;
    const size = height * width;
    return Array.from({ length: count }, (_, i) => {
      const data = values.subarray(i * size, (i + 1) * size) as Uint8Array;
      return { image: floatImage({ height, width, channels: 1, data }), label: labels[i]! };
    });
  };
  return { train: samplesOf("train"), test: samplesOf("t10k") };
}
