/** @file Images with one label each, as samples of a job. Legend: B batch, H height, W width. */
import type { Tensor } from "@lockstep/core";
import {
  type Augmentation,
  type Dataset,
  type FloatImage,
  type Pipeline,
  stackImages,
  stackSamples,
} from "@lockstep/data";

export interface LabelledImage {
  /** One channel, numbers in [0, 1]. */
  readonly image: FloatImage;
  readonly label: number;
}

/** What is trained on, and what is held out. */
export interface ImageSplit {
  readonly train: readonly LabelledImage[];
  readonly test: readonly LabelledImage[];
}

export interface ImageBatch {
  /** [B, 1, H, W] */
  readonly x: Tensor;
  /** [B], i32 */
  readonly y: Tensor;
}

/** Changes the image and keeps the label. */
export function augmentImage(change: Augmentation<FloatImage>): Augmentation<LabelledImage> {
  return ({ image, label }, draws) => ({ image: change(image, draws), label });
}

export function imageDataset(samples: Pipeline<LabelledImage>): Dataset<ImageBatch> {
  return samples.toDataset((values) => ({
    x: stackImages(values.map(({ image }) => image)),
    y: stackSamples(
      values.map(({ label }) => Int32Array.of(label)),
      [],
    ),
  }));
}
