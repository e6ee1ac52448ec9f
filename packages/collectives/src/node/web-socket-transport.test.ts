import { afterEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { realClock } from "../testing/real-clock.js";
import { transportConformance } from "../testing/transport-conformance.js";
import { WebSocketTransport } from "./web-socket-transport.js";

const sockets = { WebSocket, WebSocketServer };
const open: WebSocketTransport[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.dispose()));
});

function create(workerId: string, onRefused?: (reason: string) => void): WebSocketTransport {
  const transport = new WebSocketTransport({
    workerId,
    sockets,
    clock: realClock,
    ...(onRefused ? { onRefused } : {}),
  });
  open.push(transport);
  return transport;
}

const ticketOf = (workerId: string): string => `ticket-of-${workerId}`;

async function linkAll(worldSize: number): Promise<WebSocketTransport[]> {
  const transports = Array.from({ length: worldSize }, (_, rank) => create(`w${rank}`));
  const addresses = await Promise.all(transports.map((transport) => transport.bind({ host: "127.0.0.1", port: 0 })));
  const tickets = transports.map(({ workerId }) => ({ workerId, ticket: ticketOf(workerId) }));
  for (const transport of transports) transport.admit(tickets);
  await Promise.all(
    transports.flatMap((from, i) =>
      transports.map((to, j) =>
        i === j
          ? undefined
          : from.dial({
              peerId: to.workerId,
              url: `ws://127.0.0.1:${addresses[j]!.port}`,
              ticket: ticketOf(from.workerId),
              deadlineMs: 5_000,
            }),
      ),
    ),
  );
  return transports;
}

describe("WebSocketTransport", () => {
  transportConformance(test, async (worldSize) => {
    const transports = await linkAll(worldSize);
    return {
      transports,
      clock: realClock,
      runUntil: (promise) => promise,
      kill: (rank) => void transports[rank]!.dispose(),
      dispose: async () => {
        await Promise.all(transports.map((transport) => transport.dispose()));
      },
    };
  });

  test("refuses a dial with a wrong ticket, with another worker's ticket and to another path", async () => {
    const refusals: string[] = [];
    const listener = create("w0", (reason) => refusals.push(reason));
    const dialler = create("w1");
    const { port } = await listener.bind({ host: "127.0.0.1", port: 0 });
    listener.admit([{ workerId: "w2", ticket: ticketOf("w2") }]);
    const dial = (url: string, ticket: string) => dialler.dial({ peerId: "w0", url, ticket, deadlineMs: 5_000 });
    const url = `ws://127.0.0.1:${port}`;
    await expect(dial(url, "guess")).rejects.toMatchObject({
      code: "E_LINK",
      fields: { reason: expect.stringContaining("401") },
    });
    await expect(dial(url, ticketOf("w2"))).rejects.toMatchObject({ code: "E_LINK" });
    await expect(dial(`${url}/elsewhere`, ticketOf("w2"))).rejects.toMatchObject({
      fields: { reason: expect.stringContaining("404") },
    });
    expect(refusals).toHaveLength(3);
    expect(listener.peers()).toEqual([]);
  });

  test("a dial to a port where nobody listens is an error that names the peer", async () => {
    const gone = create("w9");
    const { port } = await gone.bind({ host: "127.0.0.1", port: 0 });
    await gone.dispose();
    await expect(
      create("w0").dial({ peerId: "w9", url: `ws://127.0.0.1:${port}`, ticket: "t", deadlineMs: 5_000 }),
    ).rejects.toMatchObject({ code: "E_LINK", fields: { peerId: "w9" } });
  });

  test("a port in use is an error that names it", async () => {
    const { port } = await create("w0").bind({ host: "127.0.0.1", port: 0 });
    await expect(create("w1").bind({ host: "127.0.0.1", port })).rejects.toMatchObject({
      code: "E_LINK",
      fields: { port },
    });
  });

  test("a sender waits while a paused receiver's queues are full", async () => {
    const [a, b] = (await linkAll(2)) as [WebSocketTransport, WebSocketTransport];
    const { emptyBulkHeader } = await import("@lockstep/protocol");
    const payload = new Uint8Array(4 << 20);
    const header = {
      ...emptyBulkHeader,
      kind: "barrier",
      stream: "collective",
      elementCount: payload.length / 4,
    } as const;
    let numReceived = 0;
    let wake: () => void = () => {};
    const all = new Promise<void>((resolve) => {
      wake = resolve;
    });
    b.listen({ onFrame: () => ++numReceived === 24 && wake(), onPeerLost: () => {} });
    b.pause("w0");
    let numSent = 0;
    const sends = Array.from({ length: 24 }, () => a.send("w1", { header, payload }).then(() => numSent++));
    await new Promise<void>((resolve) => void realClock.schedule(200, resolve));
    expect(numSent).toBeLessThan(24);
    b.resume("w0");
    await Promise.all([all, ...sends]);
    expect(numSent).toBe(24);
  });

  test("a dialler that sends data is cut off", async () => {
    const listener = create("w0");
    const { port } = await listener.bind({ host: "127.0.0.1", port: 0 });
    listener.admit([{ workerId: "w1", ticket: ticketOf("w1") }]);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/peer`, {
      headers: { "lockstep-ticket": ticketOf("w1"), "lockstep-worker": "w1" },
    });
    const closed = new Promise<number>((resolve) => socket.on("close", resolve));
    socket.on("open", () => socket.send(Buffer.from([1])));
    expect(await closed).toBe(1008);
  });
});
