import { FrameRouter } from "../group/frame-router.js";
import { createProcessGroup, type ProcessGroup } from "../group/process-group.js";
import type { Transport } from "../transport/transport.js";
import type { SimNetwork } from "./sim-network.js";

export interface SimGroupOptions {
  readonly worldSize: number;
  readonly generation?: number;
  readonly deadlineMs?: number;
  /** Puts something between router and network: a planted bug, a spy. */
  readonly wrap?: (transport: Transport, rank: number) => Transport;
}

/** One group member per rank, workers "w0", "w1", ..., over a simulated network. */
export function createSimGroups(network: SimNetwork, options: SimGroupOptions): ProcessGroup[] {
  const members = Array.from({ length: options.worldSize }, (_, rank) => `w${rank}`);
  const wrap = options.wrap ?? ((transport: Transport) => transport);
  const transports = members.map((workerId, rank) => wrap(network.createTransport(workerId), rank));
  return transports.map((transport) =>
    createProcessGroup({
      generation: options.generation ?? 1,
      members,
      router: new FrameRouter(transport),
      clock: network.clock,
      deadlineMs: options.deadlineMs ?? 60_000,
    }),
  );
}
