import { type DecodeOptions, fileError } from "./file-error.js";

export interface DecodeImageOptions extends DecodeOptions {
  /** Refuses larger images before memory is taken for them. Default 2^26 = 67,108,864 pixels. */
  readonly maxPixels?: number;
}

const defaultMaxPixels = 67108864;

/** @throws {FormatError} E_FILE_FORMAT when an image is empty or has more pixels than allowed. */
export function assertImageSize(
  where: string,
  { width, height }: { readonly width: number; readonly height: number },
  { file = "", maxPixels = defaultMaxPixels }: DecodeImageOptions,
): void {
  if (width > 0 && height > 0 && width * height <= maxPixels) return;
  throw fileError(where, {
    file,
    place: "header",
    is: `is ${width} x ${height} pixels`,
    must: `it must be at least 1 x 1 and at most ${maxPixels} pixels (maxPixels).`,
    fields: { width, height, maxPixels },
  });
}
