/**
 * @file The listening side of data links: lets members in by their ticket and hands over their sockets. Data only leaves
 * through these sockets, unmasked; a dialler that sends anything is cut off.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { peerPath, protocolLimits, ticketHeader, workerHeader } from "@lockstep/protocol";
import { CollectiveError } from "../errors.js";
import type { SocketConstructors, WsServer, WsSocket } from "./socket-constructors.js";
import type { TicketBook } from "./ticket-book.js";

/** A dialler has nothing to say beyond WebSocket control frames. */
const MAX_DIALLER_PAYLOAD = 128;
const MAX_HEADER_BYTES = 8_192;
const HEADERS_TIMEOUT_MS = 5_000;

export interface PeerListenerOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly sockets: Pick<SocketConstructors, "WebSocketServer">;
  readonly tickets: TicketBook;
  readonly onPeer: (workerId: string, socket: WsSocket, wire: Duplex) => void;
  readonly onRefused?: ((reason: string) => void) | undefined;
}

export interface PeerListener {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** @throws {CollectiveError} E_LINK when the address cannot be listened on. */
export async function listenForPeers(options: PeerListenerOptions): Promise<PeerListener> {
  const upgrades = new options.sockets.WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_DIALLER_PAYLOAD,
  });
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_TIMEOUT_MS },
    (_, response) => {
      response.writeHead(404).end();
    },
  );
  server.maxConnections = 2 * protocolLimits.maxWorldSize;
  const wires = new Set<Duplex>();
  server.on("connection", (wire) => {
    wire.setNoDelay(true);
    wires.add(wire);
    wire.on("close", () => wires.delete(wire));
  });
  server.on("upgrade", (request, wire, head) => admit(request, wire, { ...options, head, upgrades }));
  await bind(server, options);
  const address = server.address() as AddressInfo;
  return {
    host: options.host,
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const wire of wires) wire.destroy();
        upgrades.close();
      }),
  };
}

function bind(server: Server, { host, port }: PeerListenerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const message = `listen: ${host}:${port} cannot be listened on: ${cause.message}. Choose another --listen address.`;
      reject(new CollectiveError("E_LINK", message, { host, port }, { cause }));
    });
    server.listen({ host, port }, resolve);
  });
}

function admit(
  request: IncomingMessage,
  wire: Duplex,
  options: PeerListenerOptions & { readonly head: Buffer; readonly upgrades: WsServer },
): void {
  const refuse = (status: string, reason: string): void => {
    options.onRefused?.(reason);
    wire.on("error", () => {}); // it may be gone already
    wire.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  };
  const path = request.url?.split("?", 1)[0];
  if (path !== peerPath) {
    refuse("404 Not Found", `a dial to ${path}; the path must be ${peerPath}`);
    return;
  }
  const ticket = request.headers[ticketHeader];
  const claimed = request.headers[workerHeader];
  const workerId = typeof ticket === "string" ? options.tickets.findWorker(ticket) : undefined;
  if (workerId === undefined || workerId !== claimed) {
    refuse("401 Unauthorized", `a dial from ${request.socket.remoteAddress} without a member's ticket`);
    return;
  }
  options.upgrades.handleUpgrade(request, wire, options.head, (socket) => options.onPeer(workerId, socket, wire));
}
