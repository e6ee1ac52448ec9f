import { describe, expect, test } from "vitest";
import { createSimGroups } from "./sim-group.js";
import { SimNetwork } from "./sim-network.js";
import { transportConformance } from "./transport-conformance.js";

describe("SimTransport", () => {
  transportConformance(test, async (worldSize) => {
    const network = new SimNetwork({ seed: 17 });
    return {
      transports: Array.from({ length: worldSize }, (_, rank) => network.createTransport(`w${rank}`)),
      clock: network.clock,
      runUntil: (promise) => network.clock.runUntil(promise),
      kill: (rank) => network.drop(`w${rank}`),
      dispose: async () => {},
    };
  });

  test("a sender waits while a paused receiver's queue is full", async () => {
    const network = new SimNetwork({ seed: 1, maxInFlightBytesPerPeer: 1_000, maxQueuedBytesPerPeer: 2_000 });
    const [a, b] = createSimGroups(network, { worldSize: 2 }).map((group) => group.router.transport);
    b!.pause("w0");
    let numSent = 0;
    const { emptyBulkHeader } = await import("@lockstep/protocol");
    const sends = Array.from({ length: 20 }, () =>
      a!
        .send("w1", {
          header: { ...emptyBulkHeader, kind: "barrier", stream: "collective", generation: 1, elementCount: 100 },
          payload: new Uint8Array(400),
        })
        .then(() => numSent++),
    );
    await network.clock.runTo(1_000);
    expect(numSent).toBeGreaterThan(0);
    expect(numSent).toBeLessThan(8);
    b!.resume("w0");
    await network.clock.runUntil(Promise.all(sends));
    expect(numSent).toBe(20);
  });
});
