/**
 * @file Transport through the coordinator, for workers that cannot dial each other (a browser, NAT).
 *
 * All peers share one `FrameChannel`; each frame has 8 bytes more, with ranks of its generation. Frames of a generation
 * that this side has not entered yet wait; those of an earlier one are dropped and counted.
 */
import {
  BULK_HEADER_BYTES,
  decodeBulkHeader,
  decodeRelayHeader,
  encodeBulkHeader,
  encodeRelayHeader,
  type FrameChannel,
  type ProtocolLimits,
  protocolLimits,
  RELAY_HEADER_BYTES,
  type RelayHeader,
} from "@lockstep/protocol";
import { CollectiveError } from "../errors.js";
import { FrameInbox } from "./frame-inbox.js";
import { CounterTable } from "./link-counters.js";
import { SendWindow } from "./send-window.js";
import type { BulkFrame, LinkCounters, SendOptions, Transport, TransportListener } from "./transport.js";

export interface RelayTransportOptions {
  readonly workerId: string;
  readonly channel: FrameChannel;
  readonly limits?: ProtocolLimits;
}

export class RelayTransport implements Transport {
  readonly workerId: string;
  private readonly channel: FrameChannel;
  private readonly limits: ProtocolLimits;
  private readonly window: SendWindow;
  private readonly table = new CounterTable();
  private readonly inboxes = new Map<string, FrameInbox>();
  private readonly lost = new Set<string>();
  private early: { readonly relay: RelayHeader; readonly bytes: Uint8Array }[] = [];
  private earlyBytes = 0;
  private generation = -1;
  private members: readonly string[] = [];
  private listener: TransportListener | undefined;
  private closedBecause: string | undefined;
  private isDisposed = false;
  private numDropped = 0;

  constructor(options: RelayTransportOptions) {
    this.workerId = options.workerId;
    this.channel = options.channel;
    this.limits = options.limits ?? protocolLimits;
    this.window = new SendWindow(this.limits.maxInFlightBytesPerPeer);
    this.channel.onFrame((bytes) => this.receive(bytes));
    this.channel.onClose((reason) => this.closeAll(reason));
  }

  /** The ranks of a new generation; frames that waited for it are delivered. */
  enter(generation: number, members: readonly string[]): void {
    this.generation = generation;
    this.members = members;
    this.lost.clear();
    const early = this.early;
    this.early = [];
    this.earlyBytes = 0;
    for (const { relay, bytes } of early) this.accept(relay, bytes);
    if (this.closedBecause !== undefined) this.loseMembers(this.closedBecause);
  }

  /** Frames of generations that are over, or not meant for this rank. */
  get droppedFrames(): number {
    return this.numDropped;
  }

  peers(): readonly string[] {
    if (this.closedBecause !== undefined || this.isDisposed) return [];
    return this.members.filter((id) => id !== this.workerId && !this.lost.has(id));
  }

  async send(peerId: string, frame: BulkFrame, options: SendOptions = {}): Promise<void> {
    if (this.isDisposed) throw new CollectiveError("E_DISPOSED", "send: the transport is disposed.", { peerId });
    const destinationRank = this.members.indexOf(peerId);
    if (destinationRank < 0 || this.closedBecause !== undefined || this.lost.has(peerId)) {
      const reason = this.closedBecause ?? "it is no member of this generation";
      throw new CollectiveError(
        "E_PEER_LOST",
        `send: worker "${peerId}" cannot be reached over the relay: ${reason}.`,
        {
          peerId,
          reason,
        },
      );
    }
    const sourceRank = this.members.indexOf(this.workerId);
    const head = new Uint8Array(RELAY_HEADER_BYTES + BULK_HEADER_BYTES);
    head.set(encodeRelayHeader({ generation: this.generation, sourceRank, destinationRank }));
    head.set(encodeBulkHeader(frame.header), RELAY_HEADER_BYTES);
    const numBytes = BULK_HEADER_BYTES + frame.payload.byteLength;
    await this.window.send(
      numBytes,
      () => {
        this.table.sent(peerId, numBytes);
        return this.channel.send(frame.payload.byteLength === 0 ? [head] : [head, frame.payload]);
      },
      options,
    );
  }

  listen(listener: TransportListener): void {
    this.listener = listener;
    for (const [peerId, inbox] of this.inboxes) this.drain(peerId, inbox);
  }

  pause(peerId: string): void {
    this.inboxOf(peerId).isPaused = true;
  }

  resume(peerId: string): void {
    const inbox = this.inboxOf(peerId);
    inbox.isPaused = false;
    this.drain(peerId, inbox);
  }

  counters(peerId: string): LinkCounters {
    return this.table.read(peerId);
  }

  async dispose(): Promise<void> {
    if (this.isDisposed) return;
    this.isDisposed = true;
    this.window.close(new CollectiveError("E_DISPOSED", "send: the transport is disposed.", {}));
    this.channel.close();
  }

  private receive(bytes: Uint8Array): void {
    if (this.isDisposed) return;
    const relay = decodeRelayHeader(bytes);
    if (relay.generation <= this.generation) {
      this.accept(relay, bytes);
      return;
    }
    this.early.push({ relay, bytes });
    this.earlyBytes += bytes.byteLength;
    if (this.earlyBytes > this.limits.maxQueuedBytesPerPeer) {
      this.early = [];
      this.earlyBytes = 0;
      this.closeAll(
        `more than ${this.limits.maxQueuedBytesPerPeer} bytes came for generation ${relay.generation} before its start`,
      );
    }
  }

  private accept(relay: RelayHeader, bytes: Uint8Array): void {
    const peerId = this.members[relay.sourceRank];
    const isMine = this.members[relay.destinationRank] === this.workerId;
    if (relay.generation !== this.generation || peerId === undefined || !isMine || this.lost.has(peerId)) {
      this.numDropped++;
      return;
    }
    const bulk = bytes.subarray(RELAY_HEADER_BYTES);
    const header = decodeBulkHeader(bulk, bulk.byteLength, this.limits);
    this.table.received(peerId, bulk.byteLength);
    const inbox = this.inboxOf(peerId);
    inbox.hold({ header, payload: bulk.subarray(BULK_HEADER_BYTES) });
    this.drain(peerId, inbox);
    if (inbox.heldBytes <= this.limits.maxQueuedBytesPerPeer) return;
    this.lost.add(peerId);
    this.inboxes.delete(peerId);
    this.listener?.onPeerLost(
      peerId,
      `more than ${this.limits.maxQueuedBytesPerPeer} bytes wait from it (maxQueuedBytesPerPeer)`,
    );
  }

  private drain(peerId: string, inbox: FrameInbox): void {
    if (this.listener === undefined) return;
    for (let frame = inbox.next(); frame !== undefined; frame = inbox.next()) this.listener.onFrame(peerId, frame);
  }

  private inboxOf(peerId: string): FrameInbox {
    const inbox = this.inboxes.get(peerId) ?? new FrameInbox();
    this.inboxes.set(peerId, inbox);
    return inbox;
  }

  private closeAll(reason: string): void {
    if (this.closedBecause !== undefined || this.isDisposed) return;
    this.closedBecause = reason;
    this.window.close(new CollectiveError("E_PEER_LOST", `send: the relay is closed: ${reason}.`, { reason }));
    this.loseMembers(reason);
  }

  private loseMembers(reason: string): void {
    for (const peerId of this.members) {
      if (peerId === this.workerId || this.lost.has(peerId)) continue;
      this.lost.add(peerId);
      this.listener?.onPeerLost(peerId, `the relay is closed: ${reason}`);
    }
  }
}
