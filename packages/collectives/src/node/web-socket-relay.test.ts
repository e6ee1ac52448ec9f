import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { realClock } from "../testing/real-clock.js";
import { SimRelay } from "../testing/sim-relay.js";
import { transportConformance } from "../testing/transport-conformance.js";
import { RelayTransport } from "../transport/relay-transport.js";
import { webSocketFrameChannel } from "./web-socket-frame-channel.js";

describe("RelayTransport over WebSockets", () => {
  // The relay does not report a lost worker: the coordinator does, by a new generation.
  const withoutLoss = (name: string, run: () => Promise<void>): void => {
    if (!name.startsWith("a lost peer")) test(name, run);
  };
  transportConformance(withoutLoss, async (worldSize) => {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
    await once(server, "listening");
    const relay = new SimRelay();
    server.on("connection", (socket, request) => {
      relay.attach(Number(request.url?.slice(1)), webSocketFrameChannel(socket));
    });
    const members = Array.from({ length: worldSize }, (_, rank) => `w${rank}`);
    const { port } = server.address() as AddressInfo;
    const transports = await Promise.all(
      members.map(async (workerId, rank) => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/${rank}`, { perMessageDeflate: false });
        await once(socket, "open");
        const transport = new RelayTransport({ workerId, channel: webSocketFrameChannel(socket) });
        transport.enter(1, members);
        return transport;
      }),
    );
    return {
      transports,
      clock: realClock,
      runUntil: (promise) => promise,
      kill: () => {},
      dispose: async () => {
        await Promise.all(transports.map((transport) => transport.dispose()));
        for (const client of server.clients) client.terminate();
        server.close();
      },
    };
  });
});
