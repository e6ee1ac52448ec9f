/** @file A small detector of one stage. Legend: B batch, S side of a scene, G = S / 4 cells, K digits, W width of the network. */
import { type LossSum, logSigmoid, losses, nn, type Tensor, where } from "@lockstep/core";
import { noLabel, numBoxNumbers, numDigits } from "./centres.js";

export interface CentreNetAnswer {
  /** [B, 1, G, G], before the sigmoid. */
  readonly heat: Tensor;
  /** [B, K, G, G], before the softmax. */
  readonly classes: Tensor;
  /** [B, 4, G, G] */
  readonly boxes: Tensor;
}

/** At first every cell has this heat before the sigmoid, about 0.1: few cells are middles. */
const firstHeat = -2.19;

/**
 * Six convolutions of 3 x 3 with batch norm, halved twice, and three heads of 1 x 1: in which cells
 * there are middles, of which digits, and boxes.
 *
 * @shape x [B, 1, S, S], S divisible by 4 -> heat [B, 1, G, G], classes [B, K, G, G], boxes [B, 4, G, G]
 * @source Zhou et al. 2019, Objects as Points, with a much smaller body.
 */
export class CentreNet extends nn.Module {
  body: nn.Sequential;
  heat: nn.Conv2d;
  classes: nn.Conv2d;
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
    this.heat = new nn.Conv2d(4 * width, 1, 1);
    this.classes = new nn.Conv2d(4 * width, numDigits, 1);
    this.boxes = new nn.Conv2d(4 * width, numBoxNumbers, 1);
    nn.init.constant(this.heat.bias!, firstHeat);
  }

  forward(x: Tensor): CentreNetAnswer {
    const features = this.body.forward(x);
    return {
      heat: this.heat.forward(features),
      classes: this.classes.forward(features),
      boxes: this.boxes.forward(features),
    };
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
  /** [B, 1, G, G] */
  readonly heat: Tensor;
  /** [B, G, G], i32 */
  readonly labels: Tensor;
  /** [B, 4, G, G] */
  readonly boxes: Tensor;
  /** [B, 1, G, G] */
  readonly isCentre: Tensor;
}

/**
 * Focal loss of the heat, which counts little where a middle is near; cross-entropy of the digits and absolute error of the boxes where a middle is.
 *
 *   sum    = sum over cells of ( t = 1 ? -(1 - p)^2 log p : -(1 - t)^4 p^2 log(1 - p) ) + sum over middles of ( -log q[digit] + |box - its answer| )
 *   weight = number of middles
 *
 * with p = sigmoid(heat), t its target, q = softmax(classes). All are sums over scenes, so any micro-batches add up to the same.
 *
 * @shape heat [B, 1, G, G], classes [B, K, G, G], boxes [B, 4, G, G] -> scalar
 * @source Zhou et al. 2019, equations 1 to 4, the first from Law and Deng 2018. Deviation: sizes are in cells, so they weigh as much as places.
 */
export function centreLoss(answer: CentreNetAnswer, targets: CentreBatchTargets): LossSum {
  const p = answer.heat.sigmoid();
  const ofMiddles = logSigmoid(answer.heat).mul(p.sub(1).square()).neg();
  const ofOthers = logSigmoid(answer.heat.neg()).mul(p.square()).mul(targets.heat.sub(1).square().square()).neg();
  const ofHeat = where(targets.heat.eq(1), ofMiddles, ofOthers).sum();
  const classesLast = answer.classes.permute([0, 2, 3, 1]);
  const ofClasses = losses.crossEntropy(classesLast, targets.labels, { ignoreIndex: noLabel });
  const ofBoxes = answer.boxes.sub(targets.boxes).abs().mul(targets.isCentre).sum();
  return { sum: ofHeat.add(ofClasses.sum).add(ofBoxes), weight: ofClasses.weight };
}
