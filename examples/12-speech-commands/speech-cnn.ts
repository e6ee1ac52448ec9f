/** @file A small convolutional network for short sounds. Legend: B batch, M mels, N frames, W width of the network. */
import { nn, type Tensor } from "@lockstep/core";

export interface SpeechCnnConfig {
  readonly numClasses: number;
  /** Channels of the first layer; the last has four times as many. */
  readonly width: number;
  readonly dropout?: number;
}

/**
 * Three convolutions of 3 x 3 with batch norm, halved in between. What is left is averaged over time alone: it matters how high a sound is, and little
 * when it comes.
 *
 * @shape x [B, 1, M, N] -> logits [B, numClasses]
 */
export class SpeechCnn extends nn.Module {
  body: nn.Sequential;
  head: nn.Linear;

  constructor({ numClasses, width, dropout = 0 }: SpeechCnnConfig) {
    super();
    this.body = new nn.Sequential(
      ...convolution(1, width),
      new nn.MaxPool2d(2),
      ...convolution(width, 2 * width),
      new nn.MaxPool2d(2),
      ...convolution(2 * width, 4 * width),
      new nn.AdaptiveAvgPool2d([3, 2]), // thirds of the mels by halves of the time
      new nn.Flatten(),
      new nn.Dropout(dropout),
    );
    this.head = new nn.Linear(24 * width, numClasses);
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
