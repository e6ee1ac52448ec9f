/** @file Members dial one another; when all have told, the routes are known and the first step begins. */
import type { MessageBody } from "@lockstep/protocol";
import type { CoordinatorState, WorkerRecord } from "../state/coordinator-state.js";
import { beginStep, pairOf } from "./generation.js";
import { evict } from "./regroup.js";
import type { Turn } from "./turn.js";

/** A pair whose direct link broke this often uses the relay. */
const maxBrokenLinks = 2;

export function onLinkReport(turn: Turn, worker: WorkerRecord, body: MessageBody<"linkReport">): void {
  const { state } = turn;
  if (state.phase !== "linking" || body.generation !== state.generation) return;
  const links = new Map(state.links).set(worker.workerId, body.links);
  turn.set({ links });
  if (links.size < state.members.length) return;
  const relayPairs = relayPairsOf(turn.state);
  const { generation, members } = state;
  const reason =
    relayPairs.length === 0
      ? `all pairs of generation ${generation} talk directly`
      : `${relayPairs.length} of ${members.length * (members.length - 1)} ordered pairs of generation ${generation} go through the relay: ${relayPairs.map(([from, to]) => `${from}->${to}`).join(" ")}; ${firstLinkReason(turn.state)}`;
  turn.log("links", reason, { relayPairs });
  turn.sendMembers({ name: "routes", body: { generation, relayPairs } });
  beginStep(turn);
}

/**
 * The receiver dials: [from, to] could be direct when `to` could dial `from`. A pair uses the relay both ways or not at all, so that
 * what becomes of its direct link means nothing to it; and it does where that link has broken before.
 */
function relayPairsOf(state: CoordinatorState): [number, number][] {
  const isDirect = (from: number, to: number): boolean =>
    state.links.get(state.members[to]!)?.find(({ rank }) => rank === from)?.isDirect === true;
  return state.members.flatMap((workerId, to) =>
    state.members.flatMap((other, from): [number, number][] => {
      const isTrusted = (state.brokenLinks.get(pairOf(workerId, other)) ?? 0) < maxBrokenLinks;
      return from === to || (isTrusted && isDirect(from, to) && isDirect(to, from)) ? [] : [[from, to]];
    }),
  );
}

function firstLinkReason(state: CoordinatorState): string {
  const reasons = [...state.links.values()].flat().flatMap(({ isDirect, reason }) => (isDirect ? [] : [reason ?? ""]));
  return reasons[0] ?? "their direct links broke before";
}

export function onLinkingTick(turn: Turn): void {
  const { links, generation, plan } = turn.state;
  for (const worker of turn.liveMembers()) {
    if (links.has(worker.workerId)) continue;
    evict(
      turn,
      worker,
      `it did not report its links within ${plan.timeouts.linkMs} ms (linkMs, generation ${generation})`,
    );
  }
}
