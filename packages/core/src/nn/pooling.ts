/** @file Pooling as modules, for Sequential. Options are checked when they are used. */
import type { SpatialSize } from "../ops/conv.js";
import * as pool from "../ops/pool.js";
import type { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

/** Windows of a size, and how they move. */
abstract class WindowPool<Options> extends Module {
  readonly kernelSize: SpatialSize;
  readonly options: Options;

  constructor(kernelSize: SpatialSize, options: Options = {} as Options) {
    super();
    this.kernelSize = kernelSize;
    this.options = options;
  }
}

/** As many windows as are asked for. */
abstract class AdaptivePool extends Module {
  readonly outputSize: SpatialSize;

  constructor(outputSize: SpatialSize) {
    super();
    this.outputSize = outputSize;
  }
}

/** The largest element of each window. @shape x [B, C, W] -> [B, C, W'] @throws {ValueError} E_VALUE; {ShapeError} E_SHAPE @source torch.nn.MaxPool1d. Deviation: no dilation, no indices. */
export class MaxPool1d extends WindowPool<pool.PoolOptions> {
  forward(x: Tensor): Tensor {
    return pool.maxPool1d(x, this.kernelSize, this.options);
  }
}

/** The largest element of each window. @shape x [B, C, H, W] -> [B, C, H', W'] @throws {ValueError} E_VALUE; {ShapeError} E_SHAPE @source torch.nn.MaxPool2d. Deviation: no dilation, no indices. */
export class MaxPool2d extends WindowPool<pool.PoolOptions> {
  forward(x: Tensor): Tensor {
    return pool.maxPool2d(x, this.kernelSize, this.options);
  }
}

/** The mean of each window. @shape x [B, C, W] -> [B, C, W'] @throws {ValueError} E_VALUE; {ShapeError} E_SHAPE @source torch.nn.AvgPool1d */
export class AvgPool1d extends WindowPool<pool.AveragePoolOptions> {
  forward(x: Tensor): Tensor {
    return pool.avgPool1d(x, this.kernelSize, this.options);
  }
}

/** The mean of each window. @shape x [B, C, H, W] -> [B, C, H', W'] @throws {ValueError} E_VALUE; {ShapeError} E_SHAPE @source torch.nn.AvgPool2d. Deviation: no divisor_override. */
export class AvgPool2d extends WindowPool<pool.AveragePoolOptions> {
  forward(x: Tensor): Tensor {
    return pool.avgPool2d(x, this.kernelSize, this.options);
  }
}

/** Means over outputSize windows that cover the signal. @shape x [B, C, W] -> [B, C, outputSize] @throws {ValueError} E_VALUE; {ShapeError} E_SHAPE @source torch.nn.AdaptiveAvgPool1d */
export class AdaptiveAvgPool1d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return pool.adaptiveAvgPool1d(x, this.outputSize);
  }
}

/** Means over outputSize windows that cover the image. @shape x [B, C, H, W] -> [B, C, ...outputSize] @throws {ValueError} E_VALUE; {ShapeError} E_SHAPE @source torch.nn.AdaptiveAvgPool2d */
export class AdaptiveAvgPool2d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return pool.adaptiveAvgPool2d(x, this.outputSize);
  }
}

/** Maxima of outputSize windows that cover the signal. @shape x [B, C, W] -> [B, C, outputSize] @throws {ValueError} E_VALUE; {ShapeError} E_SHAPE @source torch.nn.AdaptiveMaxPool1d */
export class AdaptiveMaxPool1d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return pool.adaptiveMaxPool1d(x, this.outputSize);
  }
}

/** Maxima of outputSize windows that cover the image. @shape x [B, C, H, W] -> [B, C, ...outputSize] @throws {ValueError} E_VALUE; {ShapeError} E_SHAPE @source torch.nn.AdaptiveMaxPool2d */
export class AdaptiveMaxPool2d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return pool.adaptiveMaxPool2d(x, this.outputSize);
  }
}
