/** @file Activations with settings, or with a parameter, as modules. */
import { ValueError } from "../errors.js";
import { gelu } from "../ops/activations.js";
import * as ops from "../ops/parametric-activations.js";
import { logSoftmax, softmax } from "../ops/softmax.js";
import type { Tensor } from "../tensor/tensor.js";
import { filledParameter } from "./init.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";

export interface GeluOptions {
  /** "tanh": GPT-2's approximation. Default "none". */
  readonly approximate?: "none" | "tanh";
}

/** Gaussian error linear unit. @shape any -> same @source torch.nn.GELU */
export class Gelu extends Module {
  readonly approximate: "none" | "tanh";

  constructor({ approximate = "none" }: GeluOptions = {}) {
    super();
    this.approximate = approximate;
  }

  forward(x: Tensor): Tensor {
    return gelu(x, { approximate: this.approximate });
  }
}

/** x above 0, slope * x up to it. Default slope 0.01. @shape any -> same @source torch.nn.LeakyReLU */
export class LeakyRelu extends Module {
  readonly slope: number;

  constructor(slope = 0.01) {
    super();
    assertFinite("LeakyRelu", { slope });
    this.slope = slope;
  }

  forward(x: Tensor): Tensor {
    return ops.leakyRelu(x, this.slope);
  }
}

export interface PReluOptions {
  /** 1: one slope for all channels. Otherwise the number of channels (dim 1). Default 1. */
  readonly numParameters?: number;
  /** Slopes at first. Default 0.25. */
  readonly initial?: number;
}

/**
 * LeakyRelu with learned slopes. Do not decay them.
 *
 * @shape x [B, C, ...] -> same; weight [1] or [C]
 * @throws {ValueError} E_LAYER for a bad size. {ShapeError} E_SHAPE for other channels.
 * @source torch.nn.PReLU. Deviation: options instead of places, because `numParameters` is a method of Module.
 */
export class PRelu extends Module {
  weight: Parameter;

  constructor({ numParameters = 1, initial = 0.25 }: PReluOptions = {}) {
    super();
    assertSizes("PRelu", { numParameters });
    assertFinite("PRelu", { initial });
    this.weight = filledParameter([numParameters], initial);
  }

  forward(x: Tensor): Tensor {
    return ops.prelu(x, this.weight);
  }
}

export interface AlphaOptions {
  /** Default 1. */
  readonly alpha?: number;
}

/** x above 0, alpha (e^x - 1) up to it. @shape any -> same @source torch.nn.ELU */
export class Elu extends Module {
  readonly alpha: number;

  constructor({ alpha = 1 }: AlphaOptions = {}) {
    super();
    assertFinite("Elu", { alpha });
    this.alpha = alpha;
  }

  forward(x: Tensor): Tensor {
    return ops.elu(x, { alpha: this.alpha });
  }
}

/** x above 0, alpha (e^(x / alpha) - 1) up to it. @shape any -> same @source torch.nn.CELU */
export class Celu extends Module {
  readonly alpha: number;

  constructor({ alpha = 1 }: AlphaOptions = {}) {
    super();
    assertFinite("Celu", { alpha });
    this.alpha = alpha;
  }

  forward(x: Tensor): Tensor {
    return ops.celu(x, { alpha: this.alpha });
  }
}

/** log(1 + e^(beta x)) / beta; beta is 1 unless given. @shape any -> same @source torch.nn.Softplus. Deviation: no threshold */
export class Softplus extends Module {
  readonly beta: number;

  constructor({ beta = 1 }: { readonly beta?: number } = {}) {
    super();
    assertFinite("Softplus", { beta });
    this.beta = beta;
  }

  forward(x: Tensor): Tensor {
    return ops.softplus(x, { beta: this.beta });
  }
}

/** x between min and max, which are -1 and 1 unless given. @shape any -> same @source torch.nn.Hardtanh */
export class HardTanh extends Module {
  readonly min: number;
  readonly max: number;

  constructor({ min = -1, max = 1 }: { readonly min?: number; readonly max?: number } = {}) {
    super();
    assertFinite("HardTanh", { min, max });
    this.min = min;
    this.max = max;
  }

  forward(x: Tensor): Tensor {
    return ops.hardTanh(x, { min: this.min, max: this.max });
  }
}

/** a * sigmoid(b) of the halves of x along an axis. @shape [..., 2 n] -> [..., n] @source torch.nn.GLU */
export class Glu extends Module {
  readonly axis: number;

  constructor(axis = -1) {
    super();
    this.axis = axis;
  }

  forward(x: Tensor): Tensor {
    return ops.glu(x, this.axis);
  }
}

/** silu(a) * b of the halves of x along an axis. @shape [..., 2 n] -> [..., n] @source Shazeer 2020 */
export class SwiGlu extends Module {
  readonly axis: number;

  constructor(axis = -1) {
    super();
    this.axis = axis;
  }

  forward(x: Tensor): Tensor {
    return ops.swiGlu(x, this.axis);
  }
}

/** exp(x) / sum(exp(x)) along an axis, the last unless given. @shape any -> same @source torch.nn.Softmax */
export class Softmax extends Module {
  readonly axis: number;

  constructor(axis = -1) {
    super();
    this.axis = axis;
  }

  forward(x: Tensor): Tensor {
    return softmax(x, this.axis);
  }
}

/** log(softmax(x)) along an axis, the last unless given. @shape any -> same @source torch.nn.LogSoftmax */
export class LogSoftmax extends Module {
  readonly axis: number;

  constructor(axis = -1) {
    super();
    this.axis = axis;
  }

  forward(x: Tensor): Tensor {
    return logSoftmax(x, this.axis);
  }
}

function assertFinite(layer: string, numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (Number.isFinite(value)) continue;
    throw new ValueError(`${layer}: ${name} is ${value}; it must be a finite number.`, { [name]: value }, "E_LAYER");
  }
}
