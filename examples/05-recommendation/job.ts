/**
 * A two-tower recommender on synthetic ratings with known structure (ratings.ts).
 *
 * A sample is a user with the items they rated. The user's tower knows their number and age group, the item's tower its number and genre;
 * scores are dot products with all items, which are few here, under one softmax. Legend: B users, N items, D features of a tower's result.
 */
import { type LossSum, matmul, metrics, nn, optim, schedules, type Tensor, tensor, where, zeros } from "@lockstep/core";
import type { SampleRef } from "@lockstep/data";
import { TwoTower } from "@lockstep/models";
import { defineJob, type JobDataset } from "@lockstep/worker";
import * as z from "zod";
import { countTaken, makeRatings, numAgeGroups, numGenres, type Rating, type Ratings } from "./ratings.js";

export const config = z.object({
  numUsers: z.int().positive().default(1_000),
  numItems: z.int().positive().default(400),
  takenPerUser: z.int().positive().default(30),
  heldOutPerUser: z.int().positive().default(6),
  /** Of the ratings: another seed is another world. */
  dataSeed: z.int().nonnegative().default(1),
  embedDim: z.int().positive().default(16),
  learningRate: z.number().positive().default(1e-2),
  weightDecay: z.number().nonnegative().default(0.1),
});

/** The score of an item that is not to be recommended, because the user knows it. */
const hiddenScore = -1e30;

interface UserBatch {
  readonly users: { readonly id: Tensor; readonly ageGroup: Tensor }; // [B, 1] each
  /** Stars of the items to be predicted, 0 elsewhere. */
  readonly stars: Tensor; // [B, N]
  /** 1 where the user knows the item already. */
  readonly known: Tensor; // [B, N]
  /** Scores of two rankings that are not the model's: by how many took the item, and by what the ratings were made from. */
  readonly popularity: Tensor; // [B, N]
  readonly affinity: Tensor; // [B, N]
}

/** Users with the ratings to be predicted, and those that are known to them. */
function userDataset(ratings: Ratings, wanted: Ratings["train"], known: Ratings["train"]): JobDataset<UserBatch> {
  const N = ratings.genres.length;
  const popularity = countTaken(ratings);
  const column = (values: readonly number[]) => tensor(values, { dtype: "i32" }).reshape([values.length, 1]);
  const grid = (rows: readonly ArrayLike<number>[]) => {
    const data = new Float32Array(rows.length * N);
    for (const [row, values] of rows.entries()) data.set(values, row * N);
    return tensor(data, { shape: [rows.length, N] });
  };
  const spread = (own: readonly Rating[], numberOf: (rating: Rating) => number) => {
    const row = new Float32Array(N);
    for (const rating of own) row[rating.item] = numberOf(rating);
    return row;
  };
  return {
    size: wanted.length,
    batch(samples: readonly SampleRef[]) {
      const users = samples.map(({ index }) => index);
      return {
        users: { id: column(users), ageGroup: column(users.map((user) => ratings.ageGroups[user]!)) },
        stars: grid(users.map((user) => spread(wanted[user]!, ({ stars }) => stars))),
        known: grid(users.map((user) => spread(known[user]!, () => 1))),
        popularity: grid(users.map(() => popularity)),
        affinity: grid(users.map((user) => ratings.affinity[user]!)),
      };
    },
  };
}

/** The towers, and the features of all items. */
class Recommender extends nn.Module {
  readonly towers: TwoTower;
  readonly #genres: Int32Array;

  constructor(ratings: Ratings, embedDim: number) {
    super();
    const table = (numRows: number) => ({ numRows, embedDim });
    this.#genres = ratings.genres;
    this.towers = new TwoTower({
      user: { features: { id: table(ratings.ageGroups.length), ageGroup: table(numAgeGroups) }, outDim: embedDim },
      item: { features: { id: table(ratings.genres.length), genre: table(numGenres) }, outDim: embedDim },
    });
  }

  /** Scores of all items. @shape B users -> [B, N] */
  forward(users: UserBatch["users"]): Tensor {
    const N = this.#genres.length;
    const ids = tensor(Int32Array.from({ length: N }, (_, item) => item)).reshape([N, 1]);
    const items = this.towers.item.forward({ id: ids, genre: tensor(this.#genres).reshape([N, 1]) }); // [N, D]
    return matmul(this.towers.user.forward({ ...users }), items.transpose(0, 1)); // [B, N]
  }
}

/** Cross-entropy of each wanted item among all items; an item that the user knows takes no part. */
function itemLoss(scores: Tensor, { stars, known }: UserBatch): LossSum {
  const isWanted = stars.gt(0);
  const logProbability = where(known.gt(0), hiddenScore, scores).logSoftmax(1); // [B, N]
  const sum = where(isWanted, logProbability, zeros([])).sum().neg();
  return { sum, weight: isWanted.cast("f32").sum().itemSync() };
}

export default defineJob({
  name: "recommendation",
  config,
  training: { globalBatchSize: 128, microBatchSize: 32, totalSteps: 200, evalIntervalSteps: 50, maxGradNorm: 1 },
  data(config) {
    const ratings = makeRatings({ ...config, seed: config.dataSeed });
    const nothing = ratings.train.map(() => []);
    return {
      ratings,
      train: userDataset(ratings, ratings.train, nothing),
      eval: userDataset(ratings, ratings.heldOut, ratings.train),
    };
  },
  model: ({ embedDim }, { ratings }) => new Recommender(ratings, embedDim),
  loss: (model, batch) => itemLoss(model.forward(batch.users), batch),
  metrics: () => ({
    ndcgAt10: metrics.streaming.ndcgScore({ k: 10 }),
    recallAt10: metrics.streaming.recallAtK({ k: 10 }),
    popularityNdcgAt10: metrics.streaming.ndcgScore({ k: 10 }),
    popularityRecallAt10: metrics.streaming.recallAtK({ k: 10 }),
    idealNdcgAt10: metrics.streaming.ndcgScore({ k: 10 }),
    idealRecallAt10: metrics.streaming.recallAtK({ k: 10 }),
  }),
  evaluate(model, batch, measured) {
    const scores = model.forward(batch.users);
    const unknown = (ranking: Tensor) => where(batch.known.gt(0), hiddenScore, ranking);
    const feed = (ranking: Tensor, ndcg: typeof measured.ndcgAt10, recall: typeof measured.recallAt10) => {
      ndcg.update(batch.stars, unknown(ranking));
      recall.update(batch.stars, unknown(ranking));
    };
    feed(scores, measured.ndcgAt10, measured.recallAt10);
    feed(batch.popularity, measured.popularityNdcgAt10, measured.popularityRecallAt10);
    feed(batch.affinity, measured.idealNdcgAt10, measured.idealRecallAt10);
    return itemLoss(scores, batch);
  },
  optimizer: ({ weightDecay }, model) => new optim.AdamW(model.parameters(), { weightDecay }),
  schedule: ({ learningRate, totalSteps }) => schedules.cosine({ from: learningRate, to: 0, steps: totalSteps }),
});
