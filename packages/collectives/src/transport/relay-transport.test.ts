import { describe, expect, test } from "vitest";
import { SimNetwork } from "../testing/sim-network.js";
import { SimRelay } from "../testing/sim-relay.js";
import { transportConformance } from "../testing/transport-conformance.js";
import { MultiTransport } from "./multi-transport.js";
import { RelayTransport } from "./relay-transport.js";

function relayed(network: SimNetwork, members: readonly string[]): RelayTransport[] {
  const relay = new SimRelay();
  return members.map((workerId, rank) => {
    const [own, coordinators] = network.createPipe(workerId, `coordinator-${rank}`);
    relay.attach(rank, coordinators);
    const transport = new RelayTransport({ workerId, channel: own });
    transport.enter(1, members);
    return transport;
  });
}

/** The coordinator tells survivors of a loss by a new generation; here the relay's own channel breaks. */
describe("RelayTransport", () => {
  const names = (worldSize: number) => Array.from({ length: worldSize }, (_, rank) => `w${rank}`);
  const withoutLoss = (name: string, run: () => Promise<void>): void => {
    if (!name.startsWith("a lost peer")) test(name, run);
  };
  transportConformance(withoutLoss, async (worldSize) => {
    const network = new SimNetwork({ seed: 23 });
    return {
      transports: relayed(network, names(worldSize)),
      clock: network.clock,
      runUntil: (promise) => network.clock.runUntil(promise),
      kill: () => {},
      dispose: async () => {},
    };
  });

  test("when its own channel closes every peer is reported lost", async () => {
    const network = new SimNetwork({ seed: 2 });
    const [first] = relayed(network, names(3));
    const lost: string[] = [];
    first!.listen({ onFrame: () => {}, onPeerLost: (peerId) => lost.push(peerId) });
    network.drop("w0");
    expect(lost).toEqual(["w1", "w2"]);
    expect(first!.peers()).toEqual([]);
  });
});

describe("MultiTransport with one blocked pair", () => {
  transportConformance(test, async (worldSize) => {
    const network = new SimNetwork({ seed: 29 });
    const members = Array.from({ length: worldSize }, (_, rank) => `w${rank}`);
    network.blockDirect("w0", "w1");
    const relays = relayed(network, members);
    const transports = members.map((workerId, rank) => {
      const transport = new MultiTransport({ direct: network.createTransport(workerId), relay: relays[rank]! });
      const blocked = members.filter((other) => network.isBlocked(workerId, other));
      transport.routeThroughRelay(blocked);
      return transport;
    });
    return {
      transports,
      clock: network.clock,
      runUntil: (promise) => network.clock.runUntil(promise),
      kill: (rank) => network.drop(`w${rank}`),
      dispose: async () => {},
    };
  });
});
