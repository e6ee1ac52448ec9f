/** @file Activations without settings as modules, for Sequential. Those with settings stand in parametric-activations.ts. */
import * as ops from "../ops/activations.js";
import { tanh } from "../ops/math.js";
import { relu6 } from "../ops/parametric-activations.js";
import type { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

/** max(x, 0). @shape any -> same @source torch.nn.ReLU */
export class Relu extends Module {
  forward(x: Tensor): Tensor {
    return ops.relu(x);
  }
}

/** min(max(x, 0), 6). @shape any -> same @source torch.nn.ReLU6 */
export class Relu6 extends Module {
  forward(x: Tensor): Tensor {
    return relu6(x);
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
    return ops.sigmoid(x);
  }
}

/** log(sigmoid(x)). @shape any -> same @source torch.nn.LogSigmoid */
export class LogSigmoid extends Module {
  forward(x: Tensor): Tensor {
    return ops.logSigmoid(x);
  }
}

/** x * sigmoid(x), also called Swish. @shape any -> same @source torch.nn.SiLU */
export class Silu extends Module {
  forward(x: Tensor): Tensor {
    return ops.silu(x);
  }
}

/** x * tanh(log(1 + e^x)). @shape any -> same @source torch.nn.Mish */
export class Mish extends Module {
  forward(x: Tensor): Tensor {
    return ops.mish(x);
  }
}

/** Scaled exponential linear unit. @shape any -> same @source torch.nn.SELU */
export class Selu extends Module {
  forward(x: Tensor): Tensor {
    return ops.selu(x);
  }
}

/** x / (1 + |x|). @shape any -> same @source torch.nn.Softsign */
export class Softsign extends Module {
  forward(x: Tensor): Tensor {
    return ops.softsign(x);
  }
}

/** min(max(x + 3, 0), 6) / 6. @shape any -> same @source torch.nn.Hardsigmoid */
export class HardSigmoid extends Module {
  forward(x: Tensor): Tensor {
    return ops.hardSigmoid(x);
  }
}

/** x * hardSigmoid(x). @shape any -> same @source torch.nn.Hardswish */
export class HardSwish extends Module {
  forward(x: Tensor): Tensor {
    return ops.hardSwish(x);
  }
}
