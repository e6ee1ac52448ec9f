/**
 * @file The listener: authenticates an upgrade by its header before anything of it is read, then hands the socket on.
 *
 * A wrong or missing token is answered 401 and closed. Not here: what a worker says (worker-socket.ts).
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { controlPath, protocolLimits, relayPath, ticketHeader } from "@lockstep/protocol";
import { CoordinatorError } from "./coordinator-error.js";
import type { ServerSocket, ServerSocketConstructors } from "./server-sockets.js";

/** Most bytes of a control frame that a worker sends: a blob chunk or a long report. */
const maxControlPayload = 16_777_216;
const headersTimeoutMs = 5_000;

export interface SocketServerOptions {
  readonly host: string;
  readonly port: number;
  readonly token: string | undefined;
  readonly sockets: ServerSocketConstructors;
  /** Sockets that may be open at once. Default 1,024. */
  readonly maxSockets?: number;
  readonly onControl: (socket: ServerSocket, address: string) => void;
  /** @returns undefined when the ticket belongs to nobody. */
  readonly acceptRelay: (isSame: (ticket: string) => boolean) => ((socket: ServerSocket) => void) | undefined;
  readonly onRefused: (address: string, why: string) => void;
  /** Answers GET /status. */
  readonly status: () => object;
}

export class SocketServer {
  readonly #options: SocketServerOptions;
  readonly #server: Server;
  readonly #control: InstanceType<ServerSocketConstructors["WebSocketServer"]>;
  readonly #relay: InstanceType<ServerSocketConstructors["WebSocketServer"]>;

  /** @throws {CoordinatorError} E_TOKEN_REQUIRED for an address other than loopback without a token. */
  constructor(options: SocketServerOptions) {
    if (options.token === undefined && !isLoopback(options.host)) {
      const text = `coordinator: it would listen on ${options.host} without a token; an address other than loopback must have one. Give --token-file or LOCKSTEP_TOKEN.`;
      throw new CoordinatorError("E_TOKEN_REQUIRED", text, { host: options.host });
    }
    this.#options = options;
    const { WebSocketServer } = options.sockets;
    const common = { noServer: true, perMessageDeflate: false } as const;
    this.#control = new WebSocketServer({ ...common, maxPayload: maxControlPayload });
    this.#relay = new WebSocketServer({ ...common, maxPayload: protocolLimits.maxFrameBytes + 64 });
    this.#server = createServer(
      { headersTimeout: headersTimeoutMs, requestTimeout: headersTimeoutMs },
      (request, response) => this.#answer(request, response),
    );
    this.#server.maxConnections = options.maxSockets ?? 1_024;
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** @throws {CoordinatorError} E_PORT_IN_USE, E_LISTEN. */
  async listen(): Promise<{ readonly url: string; readonly port: number }> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, resolve);
    }).catch((cause: { code?: string; message: string }) => {
      const isUsed = cause.code === "EADDRINUSE";
      const text = isUsed
        ? `coordinator: port ${port} of ${host} is in use; it must be free. Choose another one with --port, 0 for any.`
        : `coordinator: it cannot listen on ${host}:${port} (${cause.message}); the address must be one of this machine. Check --host.`;
      throw new CoordinatorError(isUsed ? "E_PORT_IN_USE" : "E_LISTEN", text, { host, port }, { cause });
    });
    const address = this.#server.address();
    const bound = typeof address === "object" && address !== null ? address.port : port;
    return { url: `ws://${host.includes(":") ? `[${host}]` : host}:${bound}`, port: bound };
  }

  /** Cuts every line: a peer that is frozen would never answer a farewell. */
  close(): Promise<void> {
    for (const server of [this.#control, this.#relay]) {
      for (const socket of server.clients) socket.terminate();
      server.close();
    }
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  /** The only thing that is told over plain HTTP: how the run is. */
  #answer(request: IncomingMessage, response: ServerResponse): void {
    const isStatus = request.method === "GET" && (request.url ?? "").split("?")[0] === "/status";
    if (!isStatus) {
      response.writeHead(426, { connection: "close" }).end("Lockstep coordinator: WebSocket only, and GET /status.\n");
      return;
    }
    if (!isAuthorized(request.headers.authorization, this.#options.token)) {
      this.#options.onRefused(request.socket.remoteAddress ?? "unknown", "a wrong token, or none");
      response.writeHead(401, { connection: "close" }).end("Lockstep coordinator: wrong token, or none.\n");
      return;
    }
    const headers = { "content-type": "application/json", "cache-control": "no-store", connection: "close" };
    response.writeHead(200, headers).end(JSON.stringify(this.#options.status()));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const address = request.socket.remoteAddress ?? "unknown";
    if (!isAuthorized(request.headers.authorization, this.#options.token)) {
      this.#options.onRefused(address, "a wrong token, or none");
      answer(socket, "401 Unauthorized");
      return;
    }
    const path = (request.url ?? "").split("?")[0];
    if (path === controlPath) {
      this.#control.handleUpgrade(request, socket, head, (opened) => this.#options.onControl(opened, address));
      return;
    }
    if (path !== relayPath) {
      answer(socket, "404 Not Found");
      return;
    }
    const ticket = request.headers[ticketHeader];
    const accept = this.#options.acceptRelay((other) => typeof ticket === "string" && isSameText(ticket, other));
    if (accept === undefined) {
      this.#options.onRefused(address, "a ticket of no member of this generation");
      answer(socket, "403 Forbidden");
    } else this.#relay.handleUpgrade(request, socket, head, accept);
  }
}

function isAuthorized(header: string | undefined, token: string | undefined): boolean {
  return token === undefined || isSameText(header ?? "", `Bearer ${token}`);
}

/** Constant time for any two texts. */
function isSameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function answer(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
