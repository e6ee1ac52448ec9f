/** @file Activations as modules, for Sequential. */
import { gelu, relu, sigmoid, silu } from "../ops/activations.js";
import { tanh } from "../ops/math.js";
import type { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

/** max(x, 0). @shape any -> same @source torch.nn.ReLU */
export class Relu extends Module {
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}

/** Gaussian error linear unit. @shape any -> same @source torch.nn.GELU */
export class Gelu extends Module {
  forward(x: Tensor): Tensor {
    return gelu(x);
  }
}

/** Hyperbolic tangent. @shape any -> same @source torch.nn.Tanh */
export class Tanh extends Module {
  forward(x: Tensor): Tensor {
    return tanh(x);
  }
}

/** 1 / (1 + exp(-x)). @shape any -> same @source torch.nn.Sigmoid */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

/** x * sigmoid(x). @shape any -> same @source torch.nn.SiLU */
export class Silu extends Module {
  forward(x: Tensor): Tensor {
    return silu(x);
  }
}
