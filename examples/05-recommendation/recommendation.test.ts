import { afterAll, describe, expect, test } from "vitest";
import { cleanUp } from "../../tests/e2e/lockstep-process.js";
import { trainWithOneAndThree } from "../../tests/e2e/one-and-three-workers.js";
import { countTaken, makeRatings } from "./ratings.js";

afterAll(cleanUp);

describe("the ratings", () => {
  const options = { numUsers: 40, numItems: 50, takenPerUser: 12, heldOutPerUser: 3, seed: 7 };
  const ratings = makeRatings(options);

  test("are the same for the same seed, and others for another", () => {
    expect(makeRatings(options)).toEqual(ratings);
    expect(makeRatings({ ...options, seed: 8 }).train).not.toEqual(ratings.train);
  });

  test("hold out three items of each user, none of which is trained on", () => {
    for (const [user, train] of ratings.train.entries()) {
      const items = [...train, ...ratings.heldOut[user]!].map(({ item }) => item);
      expect([train.length, ratings.heldOut[user]!.length, new Set(items).size]).toEqual([9, 3, 12]);
    }
    expect(countTaken(ratings).reduce((sum, count) => sum + count)).toBe(40 * 9);
  });

  test("follow the affinities: what a user took has more than what they did not, and stars go along with taste", () => {
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const taken = ratings.train.flatMap((own, user) => own.map(({ item }) => ratings.affinity[user]![item]!));
    const all = ratings.affinity.flatMap((own) => [...own]);
    expect(mean(taken)).toBeGreaterThan(mean(all) + 1);
    const stars = ratings.train.flat().map((rating) => rating.stars);
    expect(Math.min(...stars)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...stars)).toBe(5);
    expect(mean(stars)).toBeGreaterThan(3);
  });
});

test("one and three workers recommend the same, far better than popularity and below what the ratings were made from", async () => {
  const size = { numUsers: 240, numItems: 100, takenPerUser: 18, heldOutPerUser: 4 };
  const { one, three } = await trainWithOneAndThree("examples/05-recommendation", {
    ...size,
    totalSteps: 40,
    evalIntervalSteps: 0,
  });
  expect(three.paramsSha256).toBe(one.paramsSha256);
  expect(three.metrics).toEqual(one.metrics);
  const { ndcgAt10, recallAt10, popularityNdcgAt10, popularityRecallAt10, idealNdcgAt10 } = one.metrics;
  // 0.351 and 0.416 by the model, 0.240 and 0.330 by popularity, 0.572 by the affinities.
  expect(ndcgAt10).toBeGreaterThan(0.33);
  expect(recallAt10).toBeGreaterThan(0.39);
  expect(popularityNdcgAt10).toBeLessThan(0.26);
  expect(popularityRecallAt10).toBeLessThan(0.35);
  expect(idealNdcgAt10).toBeGreaterThan(ndcgAt10!);
}, 180_000);
