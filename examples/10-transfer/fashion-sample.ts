/**
 * @file A small part of Fashion-MNIST as one gray picture, fashion-sample.png: a row of tiles for each class, in it the first images of that
 * class to train on, then the first to test on. A tile is an image as it is, 28 x 28 pixels.
 */
import { cropImage, decodePng, floatImage } from "@lockstep/data";
import type { ImageSplit, LabelledImage } from "@lockstep-examples/digits-data";

/** Of the clothes, and of the digits. */
export const numClasses = 10;
export const sampleFile = "fashion-sample.png";

const side = 28;
const classes = Array.from({ length: numClasses }, (_, label) => label);
/** Tiles of a row. */
const [numTrain, numTest] = [60, 30];

/** The first `count` images of each class, class by class. */
export function firstOfEachClass(images: readonly LabelledImage[], count: number): LabelledImage[] {
  return classes.flatMap((label) => images.filter((image) => image.label === label).slice(0, count));
}

/** The 600 images to train on and the 300 to test on that the picture holds. */
export function readFashionSample(png: Uint8Array): ImageSplit {
  const picture = floatImage(decodePng(png, { file: sampleFile }));
  const tiles = (firstColumn: number, count: number): LabelledImage[] =>
    classes.flatMap((label) =>
      Array.from({ length: count }, (_, i) => {
        const [top, left] = [label * side, (firstColumn + i) * side];
        return { image: cropImage(picture, { top, left, height: side, width: side }), label };
      }),
    );
  return { train: tiles(0, numTrain), test: tiles(numTrain, numTest) };
}

export interface GrayPicture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** What `readFashionSample` reads, of the whole of Fashion-MNIST. */
export function drawFashionSample({ train, test }: ImageSplit): GrayPicture {
  const width = (numTrain + numTest) * side;
  const data = new Uint8Array(numClasses * side * width);
  const draw = (images: readonly LabelledImage[], firstColumn: number, count: number): void => {
    for (const [i, { image, label }] of firstOfEachClass(images, count).entries()) {
      const begin = label * side * width + (firstColumn + (i % count)) * side;
      for (const [pixel, value] of image.data.entries()) {
        data[begin + Math.floor(pixel / side) * width + (pixel % side)] = Math.round(255 * value);
      }
    }
  };
  draw(train, 0, numTrain);
  draw(test, numTrain, numTest);
  return { width, height: numClasses * side, data };
}
