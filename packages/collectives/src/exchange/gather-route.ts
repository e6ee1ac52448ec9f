/**
 * @file Which way a reduced block goes from its owner to everyone: directly, or around a ring in larger groups. Pure.
 */

export interface GatherRoute {
  readonly isRing: boolean;
  /** Ranks to which this rank passes a block of this owner, its own or one it received. */
  targets(ownerRank: number): readonly number[];
  /** Rank from which a block of this owner comes; -1 for one's own. */
  source(ownerRank: number): number;
}

export interface GatherRouteOptions {
  /** False when owners keep their blocks. */
  readonly gathers: boolean;
  readonly ringAbove: number;
}

/** @source none: ours */
export function gatherRoute(
  { rank, worldSize }: { readonly rank: number; readonly worldSize: number },
  { gathers, ringAbove }: GatherRouteOptions,
): GatherRoute {
  const isRing = worldSize > ringAbove;
  const next = (rank + 1) % worldSize;
  const previous = (rank + worldSize - 1) % worldSize;
  // Everyone begins with another peer, so that no listener is everyone's first.
  const others = Array.from({ length: worldSize - 1 }, (_, i) => (rank + 1 + i) % worldSize);
  return {
    isRing,
    targets(ownerRank) {
      if (!gathers) return [];
      if (isRing) return next === ownerRank ? [] : [next];
      return rank === ownerRank ? others : [];
    },
    source(ownerRank) {
      if (ownerRank === rank) return -1;
      return isRing ? previous : ownerRank;
    },
  };
}
