/**
 * @file Direct links where a pair could dial, the relay where it could not: one Transport over both, for the life of a worker.
 *
 * A route belongs to a direction and a generation, so that the order of a peer's frames is kept: routes change only
 * between generations, whose frames cannot be confused.
 */
import { CollectiveError } from "../errors.js";
import type { BulkFrame, LinkCounters, SendOptions, Transport, TransportListener } from "./transport.js";

export interface MultiTransportOptions {
  readonly direct: Transport;
  readonly relay?: Transport;
}

export class MultiTransport implements Transport {
  readonly workerId: string;
  private readonly direct: Transport;
  private relay: Transport | undefined;
  private relayed: ReadonlySet<string> = new Set();
  private listener: TransportListener | undefined;

  constructor(options: MultiTransportOptions) {
    this.workerId = options.direct.workerId;
    this.direct = options.direct;
    this.relay = options.relay;
  }

  /** The relay from now on; nothing more is heard of the one before, which stays its owner's to dispose. */
  useRelay(relay: Transport | undefined): void {
    this.relay = relay;
    this.relayed = new Set();
    this.hearRelay();
  }

  /** Peers to which this worker's frames go through the relay, from the next frame on. */
  routeThroughRelay(peerIds: Iterable<string>): void {
    this.relayed = new Set(peerIds);
  }

  isRelayed(peerId: string): boolean {
    return this.relayed.has(peerId);
  }

  peers(): readonly string[] {
    const relayed = (this.relay?.peers() ?? []).filter((id) => this.relayed.has(id));
    return [...this.direct.peers().filter((id) => !this.relayed.has(id)), ...relayed];
  }

  send(peerId: string, frame: BulkFrame, options?: SendOptions): Promise<void> {
    const transport = this.relayed.has(peerId) ? this.relay : undefined;
    return (transport ?? this.direct).send(peerId, frame, options);
  }

  listen(listener: TransportListener): void {
    this.listener = listener;
    this.direct.listen({
      place: (peerId, header) => listener.place?.(peerId, header),
      onFrame: (peerId, frame) => listener.onFrame(peerId, frame),
      // A pair that uses the relay does not miss its direct link.
      onPeerLost: (peerId, reason) => {
        if (!this.relayed.has(peerId)) listener.onPeerLost(peerId, reason);
      },
    });
    this.hearRelay();
  }

  pause(peerId: string): void {
    this.direct.pause(peerId);
    this.relay?.pause(peerId);
  }

  resume(peerId: string): void {
    this.direct.resume(peerId);
    this.relay?.resume(peerId);
  }

  counters(peerId: string): LinkCounters {
    const a = this.direct.counters(peerId);
    const b = this.relay?.counters(peerId);
    if (b === undefined) return a;
    return {
      bytesSent: a.bytesSent + b.bytesSent,
      bytesReceived: a.bytesReceived + b.bytesReceived,
      framesSent: a.framesSent + b.framesSent,
      framesReceived: a.framesReceived + b.framesReceived,
    };
  }

  async dispose(): Promise<void> {
    const results = await Promise.allSettled([this.direct.dispose(), this.relay?.dispose()]);
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) {
      throw new CollectiveError("E_DISPOSED", "dispose: a transport did not close.", {}, { cause: failed.reason });
    }
  }

  private hearRelay(): void {
    const { relay, listener } = this;
    if (relay === undefined || listener === undefined) return;
    relay.listen({
      place: (peerId, header) => (this.relay === relay ? listener.place?.(peerId, header) : undefined),
      onFrame: (peerId, frame) => {
        if (this.relay === relay) listener.onFrame(peerId, frame);
      },
      onPeerLost: (peerId, reason) => {
        if (this.relay === relay) listener.onPeerLost(peerId, reason);
      },
    });
  }
}
