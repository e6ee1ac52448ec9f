import { nn, type Tensor } from "@lockstep/core";

/**
 * Twice a convolution of 3 x 3, batch norm and relu.
 *
 * @shape x [B, inChannels, H, W] -> [B, outChannels, H, W]
 * @source Ronneberger et al. 2015. Deviations: padding 1, so that sizes stay; batch norm.
 */
export class DoubleConv extends nn.Module {
  conv1: nn.Conv2d;
  bn1: nn.BatchNorm2d;
  conv2: nn.Conv2d;
  bn2: nn.BatchNorm2d;

  constructor(inChannels: number, outChannels: number) {
    super();
    this.conv1 = new nn.Conv2d(inChannels, outChannels, 3, { padding: 1, bias: false });
    this.bn1 = new nn.BatchNorm2d(outChannels);
    this.conv2 = new nn.Conv2d(outChannels, outChannels, 3, { padding: 1, bias: false });
    this.bn2 = new nn.BatchNorm2d(outChannels);
  }

  forward(x: Tensor): Tensor {
    const first = this.bn1.forward(this.conv1.forward(x)).relu();
    return this.bn2.forward(this.conv2.forward(first)).relu();
  }
}
