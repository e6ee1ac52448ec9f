/** @file LeNet-5. Legend: B batch, C channels of the image. */
import { maxPool2d, nn, ShapeError, type Tensor, ValueError } from "@lockstep/core";
import { assertModelSizes } from "../config-sizes.js";

export interface LenetConfig {
  /** Default 1. */
  readonly inChannels?: number;
  /** Default 10. */
  readonly numClasses?: number;
  /** Height and width of the images, at least 12. Default 28. */
  readonly imageSize?: number;
}

const leastImageSize = 12;

/** Side of the last feature map: halved, less the second kernel, halved. */
function featureSize(imageSize: number): number {
  return Math.floor((Math.floor(imageSize / 2) - 4) / 2);
}

/**
 * Two convolutions of 5 x 5 with maximum pooling, and three linear layers; relu between.
 *
 * @shape x [B, inChannels, imageSize, imageSize] -> logits [B, numClasses]
 * @throws {ValueError} E_MODEL_CONFIG for sizes that make no model. {ShapeError} E_SHAPE for images of another size.
 * @source LeCun et al. 1998, in its present form: relu and maximum pooling instead of sigmoid and trained averages; padding 2, so that 28 x 28
 *   does for 32 x 32. Names as in PyTorch's tutorial: conv1, conv2, fc1, fc2, fc3.
 * @example
 * new Lenet().parameters().reduce((total, p) => total + p.size, 0); // => 61706
 */
export class Lenet extends nn.Module {
  readonly config: Readonly<Required<LenetConfig>>;
  conv1: nn.Conv2d;
  conv2: nn.Conv2d;
  fc1: nn.Linear;
  fc2: nn.Linear;
  fc3: nn.Linear;

  constructor({ inChannels = 1, numClasses = 10, imageSize = 28 }: LenetConfig = {}) {
    super();
    const config = { inChannels, numClasses, imageSize };
    assertModelSizes("Lenet", config);
    if (imageSize < leastImageSize) {
      throw new ValueError(
        `Lenet: imageSize is ${imageSize}; it must be at least ${leastImageSize}, or nothing is left after two poolings.`,
        config,
        "E_MODEL_CONFIG",
      );
    }
    this.config = config;
    this.conv1 = new nn.Conv2d(inChannels, 6, 5, { padding: 2 });
    this.conv2 = new nn.Conv2d(6, 16, 5);
    this.fc1 = new nn.Linear(16 * featureSize(imageSize) * featureSize(imageSize), 120);
    this.fc2 = new nn.Linear(120, 84);
    this.fc3 = new nn.Linear(84, numClasses);
  }

  forward(x: Tensor): Tensor {
    const { imageSize } = this.config;
    if (x.numDims !== 4 || x.shape[2] !== imageSize || x.shape[3] !== imageSize) {
      throw new ShapeError(
        `Lenet: x is [${x.shape.join(",")}]; it must be [B,${this.config.inChannels},${imageSize},${imageSize}] (imageSize). Scale the images or set imageSize.`,
        { x: x.shape, imageSize },
      );
    }
    const low = maxPool2d(this.conv1.forward(x), 2).relu(); // [B, 6, 14, 14]
    const high = maxPool2d(this.conv2.forward(low), 2).relu(); // [B, 16, 5, 5]
    const hidden = this.fc1.activated(high.flatten(1), "relu"); // [B, 120]
    return this.fc3.forward(this.fc2.activated(hidden, "relu"));
  }
}
