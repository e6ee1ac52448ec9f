/** Makes fashion-sample.png from the four files of Fashion-MNIST: `npm run sample -- FOLDER`. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createJobFiles } from "@lockstep/worker";
import type { ImageSplit } from "@lockstep-examples/digits-data";
import { fashionMnistFolder, readFashionMnist } from "@lockstep-examples/digits-data/fashion-mnist";
import { encode } from "fast-png";
import { drawFashionSample, sampleFile } from "./fashion-sample.js";

/** All of Fashion-MNIST, as a job would read it. */
export function readFashionFolder(folder: string): ImageSplit {
  const sources = readdirSync(folder).map((path) => ({
    name: "fashion",
    path,
    read: () => readFileSync(join(folder, path)),
  }));
  return readFashionMnist(createJobFiles(sources), "fashion");
}

function main([folder = ""]: readonly string[]): void {
  const picture = drawFashionSample(readFashionFolder(fashionMnistFolder(folder).path));
  const file = fileURLToPath(new URL(sampleFile, import.meta.url));
  writeFileSync(file, encode({ ...picture, channels: 1, depth: 8 }, { zlib: { level: 9 } }));
  console.log(`${picture.width} x ${picture.height} pixels are in ${file}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
