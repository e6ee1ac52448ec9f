import { nn, type Tensor } from "@lockstep/core";

export interface BasicBlockOptions {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Of the first convolution. Default 1. */
  readonly stride?: number;
}

/**
 * Two convolutions of 3 x 3 with batch norm, added to the input (or to a 1 x 1 convolution of it, where the shapes differ).
 *
 * @shape x [B, inChannels, H, W] -> [B, outChannels, H', W']; H' = ceil(H / stride)
 * @source He et al. 2015; names as in torchvision's BasicBlock: conv1, bn1, conv2, bn2, downsample.0, downsample.1
 */
export class BasicBlock extends nn.Module {
  conv1: nn.Conv2d;
  bn1: nn.BatchNorm2d;
  conv2: nn.Conv2d;
  bn2: nn.BatchNorm2d;
  downsample: [nn.Conv2d, nn.BatchNorm2d] | undefined;

  constructor({ inChannels, outChannels, stride = 1 }: BasicBlockOptions) {
    super();
    this.conv1 = new nn.Conv2d(inChannels, outChannels, 3, { stride, padding: 1, bias: false });
    this.bn1 = new nn.BatchNorm2d(outChannels);
    this.conv2 = new nn.Conv2d(outChannels, outChannels, 3, { padding: 1, bias: false });
    this.bn2 = new nn.BatchNorm2d(outChannels);
    if (stride === 1 && inChannels === outChannels) return;
    const projection = new nn.Conv2d(inChannels, outChannels, 1, { stride, bias: false });
    this.downsample = [projection, new nn.BatchNorm2d(outChannels)];
  }

  forward(x: Tensor): Tensor {
    const first = this.bn1.forward(this.conv1.forward(x)).relu();
    const second = this.bn2.forward(this.conv2.forward(first));
    const [projection, norm] = this.downsample ?? [];
    const shortcut = projection === undefined ? x : norm!.forward(projection.forward(x));
    return second.add(shortcut).relu();
  }
}
