/** @file A small detector of one stage. Legend: B batch, S side of a scene, G = S / 4 cells, K digits, W width of the network. */
import { type LossSum, logSigmoid, nn, type Tensor, where } from "@lockstep/core";
import { numBoxNumbers, numDigits } from "./centres.js";

export interface CentreNetAnswer {
  /** [B, K, G, G], before the sigmoid. */
  readonly heat: Tensor;
  /** [B, 4, G, G] */
  readonly boxes: Tensor;
}

/** At first every cell has this heat before the sigmoid, about 0.1: few cells are middles. */
const firstHeat = -2.19;

/**
 * Six convolutions of 3 x 3 with batch norm, halved twice, and two heads of 1 x 1: in which cells there are middles of which digit, and boxes.
 *
 * @shape x [B, 1, S, S], S divisible by 4 -> heat [B, K, G, G], boxes [B, 4, G, G]
 * @source Zhou et al. 2019, Objects as Points, with a much smaller body.
 */
export class CentreNet extends nn.Module {
  body: nn.Sequential;
  heat: nn.Conv2d;
  boxes: nn.Conv2d;

  constructor({ width }: { readonly width: number }) {
    super();
    this.body = new nn.Sequential(
      ...convolution(1, width),
      new nn.MaxPool2d(2),
      ...convolution(width, 2 * width),
      ...convolution(2 * width, 2 * width),
      new nn.MaxPool2d(2),
      ...convolution(2 * width, 4 * width),
      ...convolution(4 * width, 4 * width),
      ...convolution(4 * width, 4 * width),
    );
    this.heat = new nn.Conv2d(4 * width, numDigits, 1);
    this.boxes = new nn.Conv2d(4 * width, numBoxNumbers, 1);
    nn.init.constant(this.heat.bias!, firstHeat);
  }

  forward(x: Tensor): CentreNetAnswer {
    const features = this.body.forward(x);
    return { heat: this.heat.forward(features), boxes: this.boxes.forward(features) };
  }
}

function convolution(inChannels: number, outChannels: number): nn.Layer[] {
  return [
    new nn.Conv2d(inChannels, outChannels, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(outChannels),
    new nn.Relu(),
  ];
}

export interface CentreBatchTargets {
  /** [B, K, G, G] */
  readonly heat: Tensor;
  /** [B, 4, G, G] */
  readonly boxes: Tensor;
  /** [B, 1, G, G] */
  readonly isCentre: Tensor;
  readonly numObjects: number;
}

/**
 * Focal loss of the heat, which counts little where a middle is near, and the absolute error of the boxes where a middle is.
 *
 *   sum    = sum over cells and digits of ( t = 1 ? -(1 - p)^2 log p : -(1 - t)^4 p^2 log(1 - p) ) + sum over middles of |box - its answer|
 *   weight = number of objects
 *
 * with p = sigmoid(heat) and t its target. Both are sums over scenes, so any micro-batches add up to the same.
 *
 * @shape heat [B, K, G, G], boxes [B, 4, G, G] -> scalar
 * @source Zhou et al. 2019, equations 1 to 4, from Law and Deng 2018. Deviation: sizes are in cells, so they weigh as much as places.
 */
export function centreLoss(answer: CentreNetAnswer, targets: CentreBatchTargets): LossSum {
  const p = answer.heat.sigmoid();
  const ofMiddles = logSigmoid(answer.heat).mul(p.sub(1).square()).neg();
  const ofOthers = logSigmoid(answer.heat.neg()).mul(p.square()).mul(targets.heat.sub(1).square().square()).neg();
  const ofHeat = where(targets.heat.eq(1), ofMiddles, ofOthers).sum();
  const ofBoxes = answer.boxes.sub(targets.boxes).abs().mul(targets.isCentre).sum();
  return { sum: ofHeat.add(ofBoxes), weight: targets.numObjects };
}
