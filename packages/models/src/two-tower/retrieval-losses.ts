/** @file Losses of retrieval, each a sum over the users of a micro-batch. Legend: B users, D features. */
import { eq, losses, matmul, ShapeError, type Tensor, tensor, ValueError, where, zerosLike } from "@lockstep/core";
import { assertSameWidth } from "./two-tower.js";

export interface InBatchSoftmaxOptions {
  /** Scores are divided by it. Default 1. */
  readonly temperature?: number;
  /** Which item each row is, [B] i32: another user's row with the same item is no wrong answer for this one. Default: all differ. */
  readonly itemIds?: Tensor;
}

/** What the score of a row that is no wrong answer becomes. */
const hiddenScore = -1e30;

/**
 * Cross-entropy of each user's own item among the items of all users of the micro-batch.
 *
 * It is not additive over samples: the wrong answers are those of the micro-batch, so microBatchSize is part of what is trained, and the
 * number of workers is not. The sum of the users' losses, and their number, add up as always.
 *
 * @shape users, items [B, D] -> scalar
 * @throws {ShapeError} E_SHAPE if the shapes differ. {ValueError} E_VALUE unless the temperature is positive and finite.
 * @source Yi et al. 2019, section 4.1, without the correction for popular items
 * @example
 * inBatchSoftmaxLoss(tensor([[1, 0], [0, 1]]), tensor([[0, 0], [0, 0]])).sum.itemSync(); // => 1.3862943649291992
 */
export function inBatchSoftmaxLoss(
  users: Tensor,
  items: Tensor,
  { temperature = 1, itemIds }: InBatchSoftmaxOptions = {},
): losses.LossSum {
  assertSameWidth("inBatchSoftmaxLoss", users, items);
  const [numUsers, numItems] = [users.shape[0]!, items.shape[0]!];
  if (numUsers !== numItems) {
    throw new ShapeError(
      `inBatchSoftmaxLoss: users are [${users.shape.join(",")}] and items [${items.shape.join(",")}]; they must be equal.`,
      { users: users.shape, items: items.shape },
    );
  }
  if (!(temperature > 0 && temperature < Number.POSITIVE_INFINITY)) {
    throw new ValueError(`inBatchSoftmaxLoss: temperature is ${temperature}; it must be positive and finite.`, {
      temperature,
    });
  }
  const scores = matmul(users, items.transpose(0, 1)).div(temperature); // [B, B]
  const own = tensor(Int32Array.from({ length: numUsers }, (_, i) => i));
  if (itemIds === undefined) return losses.crossEntropy(scores, own);
  if (itemIds.numDims !== 1 || itemIds.size !== numItems) {
    throw new ShapeError(
      `inBatchSoftmaxLoss: itemIds are [${itemIds.shape.join(",")}] and items [${items.shape.join(",")}]; there must be one for each item.`,
      { itemIds: itemIds.shape, items: items.shape },
    );
  }
  const isSame = eq(itemIds.unsqueeze(0), itemIds.unsqueeze(1)); // [B, B]
  const isOwn = eq(own.unsqueeze(0), own.unsqueeze(1));
  return losses.crossEntropy(where(isOwn, scores, where(isSame, hiddenScore, scores)), own);
}

/**
 * Bayesian personalised ranking: -log sigmoid(positive - negative), the scores of an item that the user took and of one that they did not.
 *
 * @shape positive, negative of one shape -> scalar
 * @numerics Without overflow for scores of any size.
 * @throws {ShapeError} E_SHAPE if the shapes differ.
 * @source Rendle et al. 2009. Regularisation belongs to the optimizer.
 * @example
 * bprLoss(tensor([3, 1]), tensor([3, 1])).sum.itemSync(); // => 1.3862943649291992
 */
export function bprLoss(positive: Tensor, negative: Tensor): losses.LossSum {
  if (positive.shape.join() !== negative.shape.join()) {
    throw new ShapeError(
      `bprLoss: positive is [${positive.shape.join(",")}] and negative [${negative.shape.join(",")}]; they must be equal.`,
      { positive: positive.shape, negative: negative.shape },
    );
  }
  // log(1 + e^(negative - positive)): cross-entropy of the answer "no" to the logit negative - positive.
  const margins = negative.sub(positive);
  return losses.binaryCrossEntropyWithLogits(margins, zerosLike(margins));
}
