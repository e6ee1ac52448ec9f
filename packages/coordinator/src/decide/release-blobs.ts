/**
 * @file Blobs that came from workers and that nobody needs any more. Two snapshots of one state are the same blobs: none is let go while
 * another snapshot is under way, whose worker may have been told that they are here already.
 */
import type { CoordinatorState } from "../state/coordinator-state.js";
import type { Turn } from "./turn.js";

/** These are not needed any more by whoever calls; `flushReleases` lets them go when nobody else needs them either. */
export function releaseBlobs(turn: Turn, sha256s: readonly string[]): void {
  if (sha256s.length > 0) turn.set({ releasable: [...new Set([...turn.state.releasable, ...sha256s])] });
}

/** After each event. */
export function flushReleases(turn: Turn): void {
  const { releasable, snapshot } = turn.state;
  if (releasable.length === 0 || (snapshot !== undefined && snapshot.done === undefined)) return;
  const used = usedBlobs(turn.state);
  const unused = releasable.filter((sha256) => !used.has(sha256));
  turn.set({ releasable: [] });
  if (unused.length > 0) turn.do({ kind: "releaseBlobs", sha256s: unused });
}

function usedBlobs({ writing, snapshot, catchUp }: CoordinatorState): ReadonlySet<string> {
  const files = [...(writing?.files ?? []), ...(snapshot?.done?.files ?? []), ...(catchUp.base?.files ?? [])];
  return new Set([...files, ...catchUp.gradients.values()].map(({ sha256 }) => sha256));
}
