import type { FloatImage } from "./float-image.js";

/** Where an output pixel looks in the input: x to the right and y down, 0 in the middle of the first pixel. */
export type PlaceOf = (x: number, y: number) => readonly [x: number, y: number];

/**
 * An image whose pixels are sampled between the four nearest of another, in f64.
 *
 * @param outside what lies beyond the border: a number, or the nearest pixel
 */
export function sampleBilinear(
  image: FloatImage,
  size: { readonly height: number; readonly width: number },
  placeOf: PlaceOf,
  outside: number | "nearest",
): FloatImage {
  const { height, width } = size;
  const planeSize = image.height * image.width;
  const data = new Float32Array(image.channels * height * width);
  const pixel = (plane: number, x: number, y: number): number => {
    if (outside !== "nearest" && (x < 0 || y < 0 || x >= image.width || y >= image.height)) return outside;
    const column = Math.min(Math.max(x, 0), image.width - 1);
    const row = Math.min(Math.max(y, 0), image.height - 1);
    return image.data[plane * planeSize + row * image.width + column]!;
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [sourceX, sourceY] = placeOf(x, y);
      const [left, top] = [Math.floor(sourceX), Math.floor(sourceY)];
      const [right, below] = [sourceX - left, sourceY - top];
      for (let c = 0; c < image.channels; c++) {
        const upper = pixel(c, left, top) * (1 - right) + pixel(c, left + 1, top) * right;
        const lower = pixel(c, left, top + 1) * (1 - right) + pixel(c, left + 1, top + 1) * right;
        data[(c * height + y) * width + x] = upper * (1 - below) + lower * below;
      }
    }
  }
  return { channels: image.channels, height, width, data };
}
