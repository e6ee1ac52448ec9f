/** @file A small convolutional network for images of about 8 x 8. Legend: B batch, W width of the network. */
import { nn, type Tensor } from "@lockstep/core";

export interface DigitsCnnConfig {
  readonly numClasses: number;
  /** Channels of the first layer; the last has four times as many. */
  readonly width: number;
  readonly dropout?: number;
}

/**
 * Three convolutions of 3 x 3 with batch norm, a pooling to 2 x 2, and a linear head. `body` makes features, `head` classes of them: another task
 * takes another head.
 *
 * @shape x [B, 1, height, width], at least 4 x 4 -> logits [B, numClasses]
 */
export class DigitsCnn extends nn.Module {
  body: nn.Sequential;
  head: nn.Layer;

  constructor({ numClasses, width, dropout = 0 }: DigitsCnnConfig) {
    super();
    this.body = new nn.Sequential(
      ...convolution(1, width),
      ...convolution(width, 2 * width),
      new nn.MaxPool2d(2),
      ...convolution(2 * width, 4 * width),
      new nn.AdaptiveMaxPool2d(2), // [B, 4W, 2, 2], whatever the size of the images
      new nn.Flatten(),
      new nn.Dropout(dropout),
    );
    this.head = new nn.Linear(16 * width, numClasses);
  }

  forward(x: Tensor): Tensor {
    return this.head.forward(this.body.forward(x));
  }
}

function convolution(inChannels: number, outChannels: number): nn.Layer[] {
  return [
    new nn.Conv2d(inChannels, outChannels, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(outChannels),
    new nn.Relu(),
  ];
}
