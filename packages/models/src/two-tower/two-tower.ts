/** @file Legend: B users, N items, D features of a tower's result. */
import { matmul, nn, ShapeError, type Sorted, type Tensor } from "@lockstep/core";
import { refuseConfig } from "../model-config.js";
import { assertTowerConfig, Tower, type TowerConfig, type TowerInputs } from "./tower.js";

export interface TwoTowerConfig {
  readonly user: TowerConfig;
  /** Of the same outDim. */
  readonly item: TowerConfig;
}

/** @throws {ValueError} E_MODEL_CONFIG */
function assertTwoTowerConfig(config: TwoTowerConfig): void {
  const subject = { model: "TwoTower", config };
  assertTowerConfig(subject, config.user);
  assertTowerConfig(subject, config.item);
  if (config.user.outDim === config.item.outDim) return;
  throw refuseConfig(
    subject,
    `user.outDim is ${config.user.outDim} and item.outDim ${config.item.outDim}; they must be equal.`,
  );
}

/**
 * A recommender: a tower of the user's features, a tower of the item's, and their dot product as score.
 *
 * Losses: `inBatchSoftmaxLoss` of the two towers' results; `bprLoss` of the scores of a taken and of another item; for answers yes and no,
 * core's `losses.binaryCrossEntropyWithLogits` of the scores.
 *
 * @shape features of B users and of as many items -> scores [B]
 * @throws {ValueError} E_MODEL_CONFIG for sizes that make no model. {ShapeError} E_SHAPE
 * @source Covington, Adams and Sargin 2016 (candidate generation); Yi et al. 2019 (two towers)
 * @example
 * const tower = { features: { id: { numRows: 10, embedDim: 4 } }, outDim: 3 };
 * const ids = zeros([5, 1], { dtype: "i32" });
 * new TwoTower({ user: tower, item: tower }).forward({ id: ids }, { id: ids }).shape; // => [5]
 */
export class TwoTower extends nn.Module {
  readonly config: TwoTowerConfig;
  user: Tower;
  item: Tower;

  constructor(config: TwoTowerConfig) {
    super();
    assertTwoTowerConfig(config);
    this.config = config;
    this.user = new Tower(config.user);
    this.item = new Tower(config.item);
  }

  forward(users: TowerInputs, items: TowerInputs): Tensor {
    return pairScores(this.user.forward(users), this.item.forward(items));
  }
}

/**
 * Dot products of pairs.
 * @shape users, items [B, D] -> [B]
 * @throws {ShapeError} E_SHAPE if the shapes differ.
 * @source none: ours
 * @example
 * pairScores(tensor([[1, 2]]), tensor([[3, 4]])).toArraySync(); // => [11]
 */
export function pairScores(users: Tensor, items: Tensor): Tensor {
  assertSameWidth("pairScores", users, items);
  if (users.shape[0] !== items.shape[0]) {
    throw new ShapeError(
      `pairScores: users are [${users.shape.join(",")}] and items [${items.shape.join(",")}]; they must be equal.`,
      { users: users.shape, items: items.shape },
    );
  }
  return users.mul(items).sum(1);
}

/**
 * The k items with the largest dot product for each user, largest first; of equal ones the first.
 *
 * @shape users [B, D], items [N, D] -> values and indices [B, k], indices the items' rows
 * @throws {ShapeError} E_SHAPE unless both are of one width and k is a whole number in 0..N.
 * @source none: ours
 * @example
 * topItems(tensor([[1, 0]]), tensor([[1, 5], [3, 0], [2, 9]]), 2).indices.toArraySync(); // => [[1, 2]]
 */
export function topItems(users: Tensor, items: Tensor, k: number): Sorted {
  assertSameWidth("topItems", users, items);
  return matmul(users, items.transpose(0, 1)).topK(k); // [B, N] -> [B, k]
}

/** @throws {ShapeError} E_SHAPE */
export function assertSameWidth(where: string, users: Tensor, items: Tensor): void {
  if (users.numDims === 2 && items.numDims === 2 && users.shape[1] === items.shape[1]) return;
  throw new ShapeError(
    `${where}: users are [${users.shape.join(",")}] and items [${items.shape.join(",")}]; they must be [B,D] and [N,D].`,
    { users: users.shape, items: items.shape },
  );
}
