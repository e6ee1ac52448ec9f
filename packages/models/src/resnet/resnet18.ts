/** @file ResNet-18. Legend: B batch, H and W of the image. */
import { adaptiveAvgPool2d, maxPool2d, nn, type Tensor, ValueError } from "@lockstep/core";
import { assertModelSizes } from "../config-sizes.js";
import type { WeightNameMapping } from "../weight-names.js";
import { BasicBlock } from "./basic-block.js";

const stems = ["large", "small"] as const;

export interface Resnet18Config {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Channels of the first stage; the others have 2, 4 and 8 times as many. Default 64. */
  readonly width?: number;
  /** "large": 7 x 7 with stride 2 and pooling, for images of some 224 pixels. "small": 3 x 3, for some 32. Default "large". */
  readonly stem?: (typeof stems)[number];
}

/**
 * Four stages of two residual blocks each, a mean over positions, a linear layer.
 *
 * Initial weights: convolutions N(0, 2 / (outChannels * taps)), norms 1 and 0, the last layer as nn.Linear. They come from the generator of
 * the enclosing `seedScope`.
 *
 * @shape x [B, inChannels, H, W] -> logits [B, numClasses]; any H and W
 * @throws {ValueError} E_MODEL_CONFIG for sizes that make no model.
 * @source He et al. 2015; names and initial weights as in torchvision.models.resnet18 (`torchvisionNames` maps the few that differ)
 * @example
 * new Resnet18({ width: 4, numClasses: 10 }).parameters().length; // => 62
 */
export class Resnet18 extends nn.Module {
  readonly config: Readonly<Required<Resnet18Config>>;
  conv1: nn.Conv2d;
  bn1: nn.BatchNorm2d;
  layer1: BasicBlock[];
  layer2: BasicBlock[];
  layer3: BasicBlock[];
  layer4: BasicBlock[];
  fc: nn.Linear;

  constructor({ numClasses = 1000, inChannels = 3, width = 64, stem = "large" }: Resnet18Config = {}) {
    super();
    assertModelSizes("Resnet18", { numClasses, inChannels, width });
    if (!stems.includes(stem)) {
      throw new ValueError(
        `Resnet18: stem is ${JSON.stringify(stem)}; it must be one of ${stems.join(", ")}.`,
        { stem },
        "E_MODEL_CONFIG",
      );
    }
    this.config = { numClasses, inChannels, width, stem };
    const [kernelSize, stride, padding] = stem === "large" ? [7, 2, 3] : [3, 1, 1];
    this.conv1 = new nn.Conv2d(inChannels, width, kernelSize!, { stride: stride!, padding: padding!, bias: false });
    this.bn1 = new nn.BatchNorm2d(width);
    this.layer1 = stage(width, width, 1);
    this.layer2 = stage(width, 2 * width, 2);
    this.layer3 = stage(2 * width, 4 * width, 2);
    this.layer4 = stage(4 * width, 8 * width, 2);
    this.fc = new nn.Linear(8 * width, numClasses);
    initialise(this);
  }

  forward(x: Tensor): Tensor {
    const stem = this.bn1.forward(this.conv1.forward(x)).relu();
    let features = this.config.stem === "large" ? maxPool2d(stem, 3, { stride: 2, padding: 1 }) : stem;
    for (const block of [...this.layer1, ...this.layer2, ...this.layer3, ...this.layer4])
      features = block.forward(features);
    return this.fc.forward(adaptiveAvgPool2d(features, 1).flatten(1)); // [B, 8 width] -> [B, numClasses]
  }
}

function stage(inChannels: number, outChannels: number, stride: number): BasicBlock[] {
  return [
    new BasicBlock({ inChannels, outChannels, stride }),
    new BasicBlock({ inChannels: outChannels, outChannels }),
  ];
}

function initialise(model: Resnet18): void {
  for (const [, module] of model.namedModules()) {
    if (!(module instanceof nn.Conv2d)) continue;
    const [kH, kW] = module.kernelSize as [number, number];
    nn.init.normal(module.weight, 0, Math.sqrt(2 / (module.outChannels * kH * kW)));
  }
}

/**
 * For `renameWeights`: torchvision's names of norms' running statistics as ours; the count of batches is left out.
 *
 * @source torchvision.models.resnet18().state_dict()
 * @example
 * torchvisionNames("layer1.0.bn1.running_mean"); // => "layer1.0.bn1.runningMean"
 */
export const torchvisionNames: WeightNameMapping = (name) =>
  name.endsWith(".num_batches_tracked")
    ? undefined
    : name.replace(/\.running_mean$/, ".runningMean").replace(/\.running_var$/, ".runningVar");
