/** @file Legend: B batch, D features of the result. */
import { concat, nn, ShapeError, type Tensor } from "@lockstep/core";
import { assertChoice, assertDropout, assertWholeSizes, type ConfigSubject, refuseConfig } from "../model-config.js";

/** One kind of fact about a user or an item: ids of a table, any number of them. */
export interface TowerFeature {
  readonly numRows: number;
  readonly embedDim: number;
  /** Default "mean". */
  readonly mode?: nn.EmbeddingBagMode;
  /** A row that counts for nothing: for lists that are filled up to one length. Default: none. */
  readonly paddingIdx?: number;
}

export interface TowerConfig {
  /** By name; their order is part of the model. */
  readonly features: Readonly<Record<string, TowerFeature>>;
  /** Widths of the layers between features and result, each followed by relu. Default none. */
  readonly hiddenDims?: readonly number[];
  /** D */
  readonly outDim: number;
  /** Probability of dropping what a hidden layer gives, in [0, 1). Default 0. */
  readonly dropout?: number;
}

/** Ids of one feature for each of B users or items: a table [B, n], or a list [N] with the place where each one's begins. */
export type TowerInput = Tensor | ({ readonly ids: Tensor } & nn.EmbeddingBagInputs);
export type TowerInputs = Readonly<Record<string, TowerInput>>;

/** @throws {ValueError} E_MODEL_CONFIG */
export function assertTowerConfig(subject: ConfigSubject, { features, hiddenDims = [], ...rest }: TowerConfig): void {
  const entries = Object.entries(features);
  if (entries.length === 0) throw refuseConfig(subject, "features are {}; there must be at least one.");
  for (const [name, { numRows, embedDim, mode = "mean" }] of entries) {
    assertWholeSizes(subject, { [`features.${name}.numRows`]: numRows, [`features.${name}.embedDim`]: embedDim });
    assertChoice(subject, `features.${name}.mode`, { value: mode, choices: ["sum", "mean", "max"] });
  }
  assertWholeSizes(subject, Object.fromEntries(hiddenDims.map((dim, i) => [`hiddenDims[${i}]`, dim])));
  assertWholeSizes(subject, { outDim: rest.outDim });
  assertDropout(subject, rest.dropout ?? 0);
}

/**
 * A vector for each user or item: bags of embeddings of its features side by side, and linear layers with relu between.
 *
 * @shape a feature's ids [B, n] i32, or [N] with offsets [B], for each feature -> [B, D]
 * @throws {ValueError} E_MODEL_CONFIG for sizes that make no model; E_INDEX_RANGE for an id outside a table. {ShapeError} E_SHAPE when features
 *   are missing, unknown or of unlike batches.
 * @source none: ours
 * @example
 * const tower = new Tower({ features: { genres: { numRows: 9, embedDim: 4 } }, outDim: 3 });
 * tower.forward({ genres: zeros([5, 2], { dtype: "i32" }) }).shape; // => [5, 3]
 */
export class Tower extends nn.Module {
  readonly config: TowerConfig;
  /** In the order of the config's features. */
  bags: nn.EmbeddingBag[];
  layers: nn.Linear[];
  dropout: nn.Dropout;

  constructor(config: TowerConfig) {
    super();
    assertTowerConfig({ model: "Tower", config }, config);
    this.config = config;
    const features = Object.values(config.features);
    this.bags = features.map(({ numRows, embedDim, ...options }) => {
      const bag = new nn.EmbeddingBag(numRows, embedDim, options);
      nn.init.normal(bag.weight, 0, 1 / Math.sqrt(embedDim));
      if (bag.paddingIdx !== undefined) clearPadding(bag, bag.paddingIdx);
      return bag;
    });
    const width = features.reduce((total, { embedDim }) => total + embedDim, 0);
    const dims = [width, ...(config.hiddenDims ?? []), config.outDim];
    this.layers = dims.slice(1).map((dim, i) => new nn.Linear(dims[i]!, dim));
    this.dropout = new nn.Dropout(config.dropout ?? 0);
  }

  forward(inputs: TowerInputs): Tensor {
    const names = Object.keys(this.config.features);
    const given = Object.keys(inputs);
    if (given.length !== names.length || names.some((name) => !(name in inputs))) {
      throw new ShapeError(
        `Tower: the features are ${given.join(", ") || "none"}; they must be ${names.join(", ")}, each once.`,
        { given, features: names },
      );
    }
    const parts = names.map((name, i) => {
      const input = inputs[name]!;
      if (!("ids" in input)) return this.bags[i]!.forward(input as Tensor);
      const { ids, ...bags } = input;
      return this.bags[i]!.forward(ids, bags);
    });
    const batches = parts.map(({ shape }) => shape[0]!);
    if (new Set(batches).size > 1) {
      const found = names.map((name, i) => `${name} ${batches[i]}`).join(", ");
      throw new ShapeError(`Tower: features are of unlike batches, ${found}; they must be equal.`, { batches });
    }
    const last = this.layers.length - 1;
    return this.layers.reduce(
      (x, layer, i) => (i === last ? layer.forward(x) : this.dropout.forward(layer.activated(x, "relu"))),
      concat(parts, 1),
    );
  }
}

function clearPadding({ weight }: nn.EmbeddingBag, row: number): void {
  const width = weight.shape[1]!;
  weight.backend.write(weight.buffer, weight.offset + row * width, new Float32Array(width));
}
