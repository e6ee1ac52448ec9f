/** @file Layers that only arrange: for Sequential, and to take the place of another layer. */
import { ShapeError } from "../errors.js";
import { flatten, reshape } from "../ops/reshape.js";
import { formatShape, normalizeAxis, numElements, type Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

/** Its input, as it is: takes the place of a layer that is to do nothing. @shape any -> same @source torch.nn.Identity */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}

/** Merges the dims from `start` to `end`, both inclusive: all but the first unless given. @shape [B, a, b] -> [B, a * b] @source torch.nn.Flatten */
export class Flatten extends Module {
  readonly start: number;
  readonly end: number;

  constructor(start = 1, end = -1) {
    super();
    this.start = start;
    this.end = end;
  }

  forward(x: Tensor): Tensor {
    return flatten(x, this.start, this.end);
  }
}

/**
 * Splits one dim into several.
 *
 * @shape [B, a * b] -> [B, a, b] for axis 1 and sizes [a, b]; one size may be -1
 * @throws {ShapeError} E_SHAPE when the sizes do not make up the dim.
 * @source torch.nn.Unflatten
 */
export class Unflatten extends Module {
  readonly axis: number;
  readonly sizes: Shape;

  constructor(axis: number, sizes: Shape) {
    super();
    this.axis = axis;
    this.sizes = sizes;
  }

  forward(x: Tensor): Tensor {
    const { axis, sizes } = this;
    const at = normalizeAxis("Unflatten", axis, x.numDims);
    const known = numElements(sizes.filter((size) => size !== -1));
    const numUnknown = sizes.filter((size) => size === -1).length;
    const length = x.shape[at]!;
    if (numUnknown > 1 || (numUnknown === 1 ? length % known !== 0 : known !== length)) {
      throw new ShapeError(
        `Unflatten: x is ${formatShape(x.shape)} and sizes ${formatShape(sizes)}; the sizes must make up ${length}, its dim ${axis}, and at most one may be -1.`,
        { x: x.shape, axis, sizes },
      );
    }
    const parts = sizes.map((size) => (size === -1 ? length / known : size));
    return reshape(x, [...x.shape.slice(0, at), ...parts, ...x.shape.slice(at + 1)]);
  }
}
