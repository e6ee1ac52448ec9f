/**
 * @file Transport over WebSockets between Node workers. The receiver dials: frames from A to B leave A through a socket
 * that B dialled, so that they are never masked. A pair has two sockets, one a direction.
 *
 * A frame is two fragments of one message, header and payload: the payload is written from where it lies, and is copied
 * once, from the socket's buffer to where the listener wants it. Not here: who dials whom (the worker), relaying.
 */
import type { Duplex } from "node:stream";
import {
  BULK_HEADER_BYTES,
  type BulkHeader,
  emptyBulkHeader,
  encodeBulkHeader,
  type ProtocolLimits,
  peerPath,
  protocolLimits,
  ticketHeader,
  workerHeader,
} from "@lockstep/protocol";
import type { Clock } from "../clock.js";
import { CollectiveError } from "../errors.js";
import { CounterTable } from "../transport/link-counters.js";
import { SendWindow } from "../transport/send-window.js";
import type { BulkFrame, LinkCounters, SendOptions, Transport, TransportListener } from "../transport/transport.js";
import { MessageReader } from "./message-reader.js";
import { listenForPeers, type PeerListener } from "./peer-listener.js";
import { PeerSocket } from "./peer-socket.js";
import { sendParts } from "./send-parts.js";
import type { SocketConstructors, WsSocket } from "./socket-constructors.js";
import { TicketBook } from "./ticket-book.js";

export interface WebSocketTransportOptions {
  readonly workerId: string;
  readonly sockets: Pick<SocketConstructors, "WebSocketServer">;
  readonly clock: Clock;
  readonly limits?: ProtocolLimits;
  /** Told of every dial that is refused, for the log. */
  readonly onRefused?: (reason: string) => void;
}

export interface DialOptions {
  readonly peerId: string;
  /** ws:// address of the peer's listener, without path. */
  readonly url: string;
  /** This worker's own ticket. */
  readonly ticket: string;
  readonly deadlineMs: number;
}

interface OutgoingLink {
  readonly socket: WsSocket;
  readonly wire: Duplex;
  readonly window: SendWindow;
}

export class WebSocketTransport implements Transport {
  readonly workerId: string;
  private readonly options: WebSocketTransportOptions;
  private readonly limits: ProtocolLimits;
  private readonly tickets = new TicketBook();
  private readonly outgoing = new Map<string, OutgoingLink>();
  private readonly incoming = new Map<string, PeerSocket>();
  /** Number of the latest dial to each peer that is under way. */
  private readonly dialling = new Map<string, number>();
  private numDials = 0;
  private readonly paused = new Set<string>();
  private readonly table = new CounterTable();
  private readonly early: ((listener: TransportListener) => void)[] = [];
  private listener: TransportListener | undefined;
  private server: PeerListener | undefined;
  private isDisposed = false;

  constructor(options: WebSocketTransportOptions) {
    this.workerId = options.workerId;
    this.options = options;
    this.limits = options.limits ?? protocolLimits;
  }

  /** Opens the listener. @throws {CollectiveError} E_LINK when the address is taken. */
  async bind(address: { readonly host: string; readonly port: number }): Promise<{ host: string; port: number }> {
    this.server = await listenForPeers({
      ...address,
      sockets: this.options.sockets,
      tickets: this.tickets,
      onPeer: (workerId, socket, wire) => this.adopt(workerId, socket, wire),
      onRefused: this.options.onRefused,
    });
    return { host: this.server.host, port: this.server.port };
  }

  /** The members that may dial, each by its own ticket; earlier tickets open nothing any more. */
  admit(members: Iterable<{ readonly workerId: string; readonly ticket: string }>): void {
    this.tickets.set(members);
  }

  /**
   * Dials a peer's listener and waits for its first frame: from then on its frames can come directly.
   *
   * @throws {CollectiveError} E_LINK with the reason when nothing comes before the deadline.
   */
  dial(options: DialOptions): Promise<void> {
    const { peerId, url, ticket, deadlineMs } = options;
    if (this.isDisposed) {
      return Promise.reject(new CollectiveError("E_DISPOSED", "dial: the transport is disposed.", { peerId }));
    }
    const dial = ++this.numDials;
    this.dialling.set(peerId, dial);
    return new Promise((resolve, reject) => {
      const cancelTimer = this.options.clock.schedule(deadlineMs, () => fail(`nothing came within ${deadlineMs} ms`));
      let isLinked = false;
      const fail = (reason: string): void => {
        cancelTimer();
        socket.terminate();
        if (this.dialling.get(peerId) === dial) this.dialling.delete(peerId);
        if (isLinked) this.lose(peerId, socket, reason);
        else
          reject(
            new CollectiveError("E_LINK", `dial: worker "${peerId}" at ${url}: ${reason}.`, { peerId, url, reason }),
          );
      };
      const begin = (header: BulkHeader): void => {
        if (this.isDisposed || this.dialling.get(peerId) !== dial) {
          fail(this.isDisposed ? "this side was closed meanwhile" : "a later dial took its place");
          return;
        }
        if (header.kind !== "ping") {
          fail(`it began with a ${header.kind} frame; it must begin with ping`);
          return;
        }
        cancelTimer();
        this.dialling.delete(peerId);
        isLinked = true;
        this.receiveFrom(peerId, socket);
        resolve();
      };
      const reader = new MessageReader(this.limits, {
        place: (header) => (isLinked ? this.listener?.place?.(peerId, header) : undefined),
        onFrame: (header, payload) => (isLinked ? this.deliver(peerId, { header, payload }) : begin(header)),
        onPing: (payload) => socket.pong(payload),
        onClose: (code) => fail(`closed with ${code}`),
      });
      const headers = { [ticketHeader]: ticket, [workerHeader]: this.workerId };
      const socket = new PeerSocket({
        url: new URL(`${url.replace(/\/$/, "")}${peerPath}`),
        headers,
        reader,
        onClose: fail,
      });
    });
  }

  /** Peers whose frames come directly: what `dial` reached and is still open. */
  sources(): readonly string[] {
    return [...this.incoming.keys()];
  }

  peers(): readonly string[] {
    return [...this.outgoing.keys()];
  }

  async send(peerId: string, frame: BulkFrame, options: SendOptions = {}): Promise<void> {
    if (this.isDisposed) throw new CollectiveError("E_DISPOSED", "send: the transport is disposed.", { peerId });
    const link = this.outgoing.get(peerId);
    if (link === undefined) {
      throw new CollectiveError(
        "E_PEER_LOST",
        `send: worker "${peerId}" has not dialled this worker, or its socket closed.`,
        {
          peerId,
        },
      );
    }
    const head = encodeBulkHeader(frame.header);
    const numBytes = head.byteLength + frame.payload.byteLength;
    const write = (): Promise<void> => {
      this.table.sent(peerId, numBytes);
      link.wire.cork(); // four small writes become one
      const sent = sendParts(link.socket, frame.payload.byteLength === 0 ? [head] : [head, frame.payload]);
      link.wire.uncork();
      return sent;
    };
    await link.window.send(numBytes, write, options);
  }

  listen(listener: TransportListener): void {
    this.listener = listener;
    for (const tell of this.early.splice(0)) tell(listener);
  }

  pause(peerId: string): void {
    this.paused.add(peerId);
    this.incoming.get(peerId)?.pause();
  }

  resume(peerId: string): void {
    this.paused.delete(peerId);
    this.incoming.get(peerId)?.resume();
  }

  counters(peerId: string): LinkCounters {
    return this.table.read(peerId);
  }

  async dispose(): Promise<void> {
    if (this.isDisposed) return;
    this.isDisposed = true;
    const error = new CollectiveError("E_DISPOSED", "send: the transport is disposed.", {});
    for (const link of this.outgoing.values()) {
      link.window.close(error);
      link.socket.terminate();
    }
    for (const socket of this.incoming.values()) socket.terminate();
    this.outgoing.clear();
    this.incoming.clear();
    await this.server?.close();
  }

  private receiveFrom(peerId: string, socket: PeerSocket): void {
    const before = this.incoming.get(peerId);
    this.incoming.set(peerId, socket);
    before?.terminate();
    if (this.paused.has(peerId)) socket.pause();
  }

  /** A member dialled: frames to it leave through this socket. */
  private adopt(peerId: string, socket: WsSocket, wire: Duplex): void {
    if (this.isDisposed) {
      socket.terminate();
      return;
    }
    const before = this.outgoing.get(peerId);
    const link: OutgoingLink = { socket, wire, window: new SendWindow(this.limits.maxInFlightBytesPerPeer) };
    this.outgoing.set(peerId, link);
    before?.window.close(new CollectiveError("E_PEER_LOST", `send: worker "${peerId}" dialled again.`, { peerId }));
    before?.socket.terminate();
    socket.on("message", () => socket.close(1008, "data flows to the dialler only"));
    socket.on("error", (error: Error) => this.lose(peerId, socket, error.message));
    socket.on("close", (code: number) => this.lose(peerId, socket, `closed with ${code}`));
    const ping = encodeBulkHeader({ ...emptyBulkHeader, kind: "ping", stream: "link" });
    sendParts(socket, [ping]).catch(() => {}); // its close is reported
  }

  /** Either direction is gone: so is the peer. Sockets that were replaced do not count. */
  private lose(peerId: string, socket: WsSocket | PeerSocket, reason: string): void {
    const link = this.outgoing.get(peerId);
    if (this.isDisposed || (link?.socket !== socket && this.incoming.get(peerId) !== socket)) return;
    const incoming = this.incoming.get(peerId);
    this.incoming.delete(peerId);
    if (incoming === socket && this.dialling.has(peerId)) return; // the peer closes what a dial replaces
    this.outgoing.delete(peerId);
    link?.window.close(
      new CollectiveError("E_PEER_LOST", `send: worker "${peerId}" is gone: ${reason}.`, { peerId, reason }),
    );
    link?.socket.terminate();
    incoming?.terminate();
    this.tell((listener) => listener.onPeerLost(peerId, reason));
  }

  private deliver(peerId: string, frame: BulkFrame): void {
    this.table.received(peerId, BULK_HEADER_BYTES + frame.payload.byteLength);
    if (frame.header.kind === "ping") return;
    this.tell((listener) => listener.onFrame(peerId, frame));
  }

  private tell(what: (listener: TransportListener) => void): void {
    if (this.listener === undefined) this.early.push(what);
    else what(this.listener);
  }
}
