/**
 * @file Ratings that are made, not collected: seeded and synthetic, with a structure that is known.
 *
 * Every item has a genre and a popularity, every user an age group. The users of an age group share a taste over the genres, from which
 * each one departs. Users take items with chances proportional to exp(affinity), affinity = popularity + taste for the item's genre, and
 * give 1 to 5 stars by how that taste and a mood of the moment add up. So the best possible ranking of a user's items is known, too: by affinity.
 */
import { Generator, scalarMath } from "@lockstep/core";

export interface RatingOptions {
  readonly numUsers: number;
  readonly numItems: number;
  /** Items that a user takes, of which `heldOutPerUser` are not trained on. */
  readonly takenPerUser: number;
  readonly heldOutPerUser: number;
  readonly seed: number;
}

export interface Rating {
  readonly item: number;
  /** 1..5 */
  readonly stars: number;
}

export interface Ratings {
  /** By user. */
  readonly ageGroups: Int32Array;
  /** By item. */
  readonly genres: Int32Array;
  /** Of each user, to train on. */
  readonly train: readonly (readonly Rating[])[];
  /** Of each user, to be found among all items that are not in `train`. */
  readonly heldOut: readonly (readonly Rating[])[];
  /** By user, then item: what the ratings were made from. No model sees it. */
  readonly affinity: readonly Float64Array[];
}

export const numGenres = 12;
export const numAgeGroups = 5;

/** The same ratings for the same options, everywhere. */
export function makeRatings({ numUsers, numItems, takenPerUser, heldOutPerUser, seed }: RatingOptions): Ratings {
  const draws = new Generator(seed);
  const genres = Int32Array.from({ length: numItems }, () => draws.integer(numGenres));
  const popularity = Float64Array.from({ length: numItems }, () => draws.normal());
  const groupTastes = Array.from({ length: numAgeGroups }, () => tasteAround(new Float64Array(numGenres), 0.8, draws));
  const ageGroups = new Int32Array(numUsers);
  const affinity: Float64Array[] = [];
  const train: Rating[][] = [];
  const heldOut: Rating[][] = [];
  for (let user = 0; user < numUsers; user++) {
    ageGroups[user] = draws.integer(numAgeGroups);
    const taste = tasteAround(groupTastes[ageGroups[user]!]!, 1.2, draws);
    const own = popularity.map((value, item) => value + taste[genres[item]!]!);
    affinity.push(own);
    const taken = drawItems(own, takenPerUser, draws).map((item) => {
      const stars = Math.round(3 + 0.7 * taste[genres[item]!]! + 0.7 * draws.normal());
      return { item, stars: Math.max(1, Math.min(5, stars)) };
    });
    // The order of the draws favours what the user likes best: any of them may be held out.
    shuffle(taken, draws);
    heldOut.push(taken.slice(0, heldOutPerUser));
    train.push(taken.slice(heldOutPerUser));
  }
  return { ageGroups, genres, train, heldOut, affinity };
}

/** Keeps the logarithm away from 0. */
const tiny = 1e-17;

function tasteAround(centre: Float64Array, spread: number, draws: Generator): Float64Array {
  return centre.map((value) => value + spread * draws.normal());
}

/**
 * `count` different items, each draw with chances proportional to exp(affinity) of those that are left.
 *
 * @source Efraimidis and Spirakis 2006: the largest of log(u) / weight.
 */
function drawItems(affinity: Float64Array, count: number, draws: Generator): number[] {
  const keys = affinity.map((value) => scalarMath.log(draws.uniform() + tiny) / scalarMath.exp(value));
  return [...keys.keys()].sort((a, b) => keys[b]! - keys[a]! || a - b).slice(0, count);
}

function shuffle<T>(values: T[], draws: Generator): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = draws.integer(i + 1);
    [values[i], values[j]] = [values[j]!, values[i]!];
  }
}

/** How often each item is in the training part: what a recommender that knows no user goes by. */
export function countTaken({ train, genres }: Ratings): Float64Array {
  const counts = new Float64Array(genres.length);
  for (const { item } of train.flat()) counts[item]! += 1;
  return counts;
}
