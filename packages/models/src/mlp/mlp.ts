import { nn, type Tensor, ValueError } from "@lockstep/core";

const activations = {
  relu: (x: Tensor) => x.relu(),
  tanh: (x: Tensor) => x.tanh(),
  gelu: (x: Tensor) => x.gelu(),
  sigmoid: (x: Tensor) => x.sigmoid(),
} as const;

export type MlpActivation = keyof typeof activations;

export interface MlpConfig {
  /** Width of the input, of each hidden layer, and of the output: [784, 128, 10]. */
  readonly dims: readonly number[];
  /** After every layer but the last. Default "relu". */
  readonly activation?: MlpActivation;
}

/**
 * Linear layers with an activation between.
 *
 * @shape x [..., dims[0]] -> [..., dims.at(-1)]
 * @throws {ValueError} E_MODEL_CONFIG for fewer than two dims or an unknown activation.
 * @source none: ours
 * @example
 * new Mlp({ dims: [784, 128, 10] }).parameters().map((p) => p.size); // => [100352, 128, 1280, 10]
 */
export class Mlp extends nn.Module {
  readonly config: Readonly<Required<MlpConfig>>;
  layers: nn.Linear[];

  constructor({ dims, activation = "relu" }: MlpConfig) {
    super();
    if (dims.length < 2) {
      throw new ValueError(
        `Mlp: dims are [${dims.join(",")}]; there must be at least two, input and output.`,
        { dims },
        "E_MODEL_CONFIG",
      );
    }
    if (!Object.hasOwn(activations, activation)) {
      throw new ValueError(
        `Mlp: activation is ${JSON.stringify(activation)}; it must be one of ${Object.keys(activations).join(", ")}.`,
        { activation },
        "E_MODEL_CONFIG",
      );
    }
    this.config = { dims, activation };
    this.layers = dims.slice(1).map((dim, i) => new nn.Linear(dims[i]!, dim));
  }

  forward(x: Tensor): Tensor {
    const activate = activations[this.config.activation];
    return this.layers.reduce((value, layer, i) => {
      const out = layer.forward(value);
      return i < this.layers.length - 1 ? activate(out) : out;
    }, x);
  }
}
