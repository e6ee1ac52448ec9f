import type { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

/** A module of one tensor. */
export type Layer = Module & { forward(x: Tensor): Tensor };

/**
 * Layers one after the other. Parameters are named "layers.0.weight".
 *
 * @shape x -> shape of the last layer's output
 * @source torch.nn.Sequential. Deviation: names begin with "layers.".
 */
export class Sequential<L extends Layer = Layer> extends Module {
  readonly layers: readonly L[];

  constructor(...layers: L[]) {
    super();
    this.layers = layers;
  }

  forward(x: Tensor): Tensor {
    return this.layers.reduce((value, layer) => layer.forward(value), x);
  }
}
