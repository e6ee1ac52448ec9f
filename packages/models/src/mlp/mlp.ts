import { nn, type Tensor, ValueError } from "@lockstep/core";

const activations = ["relu", "tanh", "gelu", "sigmoid"] as const;

export type MlpActivation = (typeof activations)[number];

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
    if (!activations.includes(activation)) {
      throw new ValueError(
        `Mlp: activation is ${JSON.stringify(activation)}; it must be one of ${activations.join(", ")}.`,
        { activation },
        "E_MODEL_CONFIG",
      );
    }
    this.config = { dims, activation };
    this.layers = dims.slice(1).map((dim, i) => new nn.Linear(dims[i]!, dim));
  }

  forward(x: Tensor): Tensor {
    const last = this.layers.length - 1;
    return this.layers.reduce(
      (value, layer, i) => (i < last ? layer.activated(value, this.config.activation) : layer.forward(value)),
      x,
    );
  }
}
